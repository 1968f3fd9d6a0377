import { readFile, realpath, stat } from "node:fs/promises";
import { join, resolve } from "node:path";
import type { Clock } from "../../clock.ts";
import { SidecanaryError } from "../../errors.ts";
import type { ServeEvent } from "../../serve/serve-event.ts";
import type { ServeLimits } from "../../serve/serve-limits.ts";
import type { InstanceInfo } from "../../serve/start-sidecar-host.ts";
import type { CliIo } from "../io.ts";

/** What the command line says, parsed. */
export interface SidecarServeOptions {
  /** @default "127.0.0.1:8722" */
  readonly listen?: string | undefined;
  /** @default the variable `SIDECANARY_SERVE_TOKEN` */
  readonly tokenFile?: string | undefined;
  readonly tlsCert?: string | undefined;
  readonly tlsKey?: string | undefined;
  readonly insecureHttp?: boolean | undefined;
  readonly publicUrl?: string | undefined;
  /** @default `<state home>/serve` */
  readonly stateDir?: string | undefined;
  /** @default "none" */
  readonly network?: "none" | "host" | undefined;
  readonly sharedUserUnsafe?: boolean | undefined;
  readonly expose?: readonly string[] | undefined;
  /** `--max-instances`, `--idle`, `--lifetime`, … */
  readonly limits?: Partial<ServeLimits> | undefined;
}

/** What the command has of its surroundings. */
export interface SidecarServePorts {
  readonly io: Pick<CliIo, "env" | "cwd">;
  /** Where the state folders of this user are. */
  readonly stateHome: string;
  readonly clock: Clock;
  /** Stops the host: a first SIGINT or SIGTERM. */
  readonly signal: AbortSignal;
  readonly onEvent: (event: ServeEvent) => void;
}

/** What the command answers when it has stopped. */
export interface SidecarServeAnswer {
  readonly url: string;
  /** `ssh-ed25519 AAAA…` */
  readonly hostKey: string;
  readonly isolation: string;
  /** The instances that were destroyed by the stop. */
  readonly stopped: readonly InstanceInfo[];
}

/** The address that is listened at where none is given. */
export const DEFAULT_LISTEN = "127.0.0.1:8722";
/** The variable that holds the token where no file is given; lines as in the file. */
export const TOKEN_VARIABLE = "SIDECANARY_SERVE_TOKEN";

/**
 * `sidecanary sidecar serve`: makes this machine a sidecar host until the signal comes. A token is
 * never an argument: every user of a machine can read those.
 *
 * @throws SidecanaryError `usage`, `config-invalid`, `sandbox-unavailable`; `sidecar-failed` where
 *   something is left behind
 */
export async function sidecarServe(
  options: SidecarServeOptions,
  { io, stateHome, clock, signal, onEvent }: SidecarServePorts,
): Promise<SidecarServeAnswer> {
  const [{ parseListenAddress }, { parseTokens }, { startSidecarHost }] = await Promise.all([
    import("../../serve/listen-address.ts"),
    import("../../serve/tokens.ts"),
    import("../../serve/start-sidecar-host.ts"),
  ]);
  const at = (path: string) => resolve(io.cwd, path);
  const { tokenFile, tlsCert, tlsKey, publicUrl } = options;
  const listen = parseListenAddress(options.listen ?? DEFAULT_LISTEN);
  if ((tlsCert === undefined) !== (tlsKey === undefined)) {
    const option = tlsCert === undefined ? "--tls-cert" : "--tls-key";
    throw new SidecanaryError("usage", `${option} is missing: both or none are needed.`, {
      option,
    });
  }
  const tokens = tokenFile === undefined
    ? parseTokens(io.env[TOKEN_VARIABLE] ?? "", `$${TOKEN_VARIABLE} (or give --token-file)`)
    : parseTokens(await readSecret(at(tokenFile), "--token-file"), at(tokenFile));
  const tls = tlsCert === undefined || tlsKey === undefined ? undefined : {
    cert: await readText(at(tlsCert), "--tls-cert"),
    key: await readSecret(at(tlsKey), "--tls-key"),
  };
  const expose = (options.expose ?? []).map(at);
  for (const path of expose) await checkExposed(path);
  const secrets = [tokenFile, tlsKey].flatMap((path) => path === undefined ? [] : [at(path)]);
  const host = await startSidecarHost({
    listen,
    ...(tls === undefined ? {} : { tls }),
    insecureHttp: options.insecureHttp ?? false,
    ...(publicUrl === undefined ? {} : { publicUrl: checkUrl(publicUrl) }),
    tokens,
    isolation: {
      network: options.network ?? "none",
      sharedUserUnsafe: options.sharedUserUnsafe ?? false,
      expose,
      hide: secrets,
    },
    limits: options.limits ?? {},
    stateDir: options.stateDir === undefined ? join(stateHome, "serve") : at(options.stateDir),
    clock,
    onEvent,
    signal,
  });
  if (!signal.aborted) {
    await new Promise((stop) => signal.addEventListener("abort", stop, { once: true }));
  }
  const stopped = host.instances();
  await host.close();
  return { url: host.url, hostKey: host.hostKey, isolation: host.isolation, stopped };
}

/** Told here: a missing folder says nothing of whether instances can be kept apart. */
async function checkExposed(path: string): Promise<void> {
  try {
    await realpath(path);
  } catch (error) {
    const code = (error as NodeJS.ErrnoException).code ?? String(error);
    throw new SidecanaryError("usage", `--expose "${path}" cannot be read: ${code}`, {
      option: "--expose",
    }, error);
  }
}

function checkUrl(text: string): string {
  const url = URL.canParse(text) ? new URL(text) : undefined;
  if (url !== undefined && /^https?:$/.test(url.protocol) && url.search === "" && url.hash === "") {
    return text;
  }
  throw new SidecanaryError("usage", `--public-url "${text}" is no http or https URL.`, {
    option: "--public-url",
  });
}

/** A file that nobody else may read. */
async function readSecret(path: string, option: string): Promise<string> {
  const text = await readText(path, option);
  if (((await stat(path)).mode & 0o077) === 0) return text;
  throw new SidecanaryError(
    "config-invalid",
    `${path} (${option}) can be read by others; run chmod 600 on it.`,
    { path },
  );
}

async function readText(path: string, option: string): Promise<string> {
  try {
    return await readFile(path, "utf8");
  } catch (error) {
    const code = (error as NodeJS.ErrnoException).code ?? String(error);
    throw new SidecanaryError("config-invalid", `${path} (${option}) cannot be read: ${code}`, {
      path,
    }, error);
  }
}
