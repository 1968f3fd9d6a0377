import { randomBytes } from "node:crypto";
import type { Clock } from "../clock.ts";
import { hostFailed } from "../sidecars/host-failed.ts";
import { ANSWER, assign, quoteWord } from "../sidecars/remote/workspace-script.ts";
import { MarkedOutput } from "./marked-output.ts";
import { RUN, STOP } from "./remote-script.ts";
import type { WarmLink } from "./warm-ports.ts";

/** How a command is run on a sidecar. */
export interface RemoteCommand {
  /** Run by `sh -c`. */
  readonly run: string;
  /** Below the delivered tree: `""` or `packages/core`. */
  readonly cwd: string;
  /** Over what the host gives to commands. */
  readonly env: Readonly<Record<string, string>>;
  /** @default nothing; and the command, with all that it leaves, dies with the channel */
  readonly stdin?: AsyncIterable<Uint8Array>;
  /** After how many ms it is killed there; only without `stdin`. @default never */
  readonly timeoutMs?: number;
  readonly onStdout: (chunk: Uint8Array) => void;
  readonly onStderr: (chunk: Uint8Array) => void;
  readonly clock: Clock;
  /** Kills it there. */
  readonly signal: AbortSignal;
}

/** How a command ended. A code above 128 may be the shell's word for a signal. */
export type CommandEnd =
  | { readonly kind: "exit"; readonly code: number }
  | { readonly kind: "signal"; readonly name: string }
  | { readonly kind: "timeout" };

/** How long a host may take to end what was given up. */
const GRACE_MS = 10_000;
/** So much longer than its budget a command may run on a host that nobody talks to, in s. */
const SPARE_S = 5;

/**
 * Runs a command in the delivered tree and passes its output on, byte for byte, while it runs.
 *
 * @throws SidecanaryError `host-failed`: of kind `reconnect` where the connection was lost
 * @throws the signal's reason when aborted
 */
export async function runRemote(link: WarmLink, command: RemoteCommand): Promise<CommandEnd> {
  const { host, workspace: { dir } } = link;
  const { run, cwd, env, stdin, timeoutMs, clock, signal } = command;
  signal.throwIfAborted();
  const id = `run-${randomBytes(8).toString("hex")}`;
  const stdout = new MarkedOutput(`${ANSWER}${id}`, command.onStdout);
  const stderr = new MarkedOutput(`${ANSWER}${id}`, command.onStderr);
  const budget = timeoutMs === undefined ? 0 : Math.ceil(timeoutMs / 1000) + SPARE_S;
  const words = Object.entries(env).map(([name, value]) => quoteWord(`${name}=${value}`));
  const script = assign({ dir, cwd: cwd === "" ? "" : `/${cwd}`, command: run, id, budget }) +
    `lease=${stdin === undefined ? 1 : ""}\nhome=${"$"}HOME\nset -- ${words.join(" ")}\n${RUN}`;
  let release: () => void = () => {};
  const released = new Promise<void>((resolve) => release = resolve);
  const overdue = new AbortController();
  let isLate = false;
  let timer: unknown;
  const giveUp = (): void => {
    release();
    if (stdin !== undefined) void stop(link, id).catch((error) => overdue.abort(error));
    clock.clearTimeout(timer);
    timer = clock.setTimeout(() => overdue.abort(stuck(link)), GRACE_MS);
  };
  if (timeoutMs !== undefined) {
    timer = clock.setTimeout(() => {
      isLate = true;
      giveUp();
    }, timeoutMs);
  }
  signal.addEventListener("abort", giveUp, { once: true });
  try {
    const exit = await host.exec({
      command: script,
      stdin: stdin ?? nothingUntil(released),
      onStdout: (chunk) => stdout.push(chunk),
      onStderr: (chunk) => stderr.push(chunk),
      signal: overdue.signal,
    });
    signal.throwIfAborted();
    if (isLate) return { kind: "timeout" };
    if (!stderr.isBegun) {
      const said = stderr.before || stdout.before || "it said nothing";
      throw hostFailed(
        `A command could not be started on ${host.name}: ${said}`,
        { host: host.name, fault: "starting", kind: "reconnect" },
      );
    }
    return exit;
  } catch (error) {
    signal.throwIfAborted();
    if (isLate && overdue.signal.aborted) return { kind: "timeout" };
    throw error;
  } finally {
    clock.clearTimeout(timer);
    signal.removeEventListener("abort", giveUp);
    release();
  }
}

async function stop({ host, workspace: { dir } }: WarmLink, id: string): Promise<void> {
  const { signal } = new AbortController();
  await host.exec({ command: assign({ dir, id }) + STOP, signal });
}

function stuck({ host }: WarmLink): Error {
  return hostFailed(
    `A command on ${host.name} does not end although it was killed`,
    { host: host.name, fault: "frozen", kind: "reconnect" },
  );
}

/** A standard input that stays open and empty. */
async function* nothingUntil(released: Promise<void>): AsyncGenerator<Uint8Array> {
  await released;
  yield* [];
}
