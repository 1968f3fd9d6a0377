import { resolve } from "node:path";
import type { Clock } from "../clock.ts";
import { SidecanaryError } from "../errors.ts";
import type { HostProvider } from "./host-provider.ts";

/** Which hosts are meant. */
export type HostsTarget =
  | { readonly kind: "ssh"; readonly targets: readonly string[] }
  | { readonly kind: "docker" | "circleci" | "host"; readonly target: string };

/** What opening hosts may need of its surroundings. */
export interface OpenHostsOptions {
  readonly env: Readonly<Record<string, string | undefined>>;
  readonly cwd: string;
  /** A folder for what outlives a process: pinned host keys. */
  readonly stateDir: string;
  /** Whose the hosts are: part of their names. */
  readonly owner: string;
  readonly identityFile?: string;
  /** Remember the keys of ssh hosts that are not known yet, in place of refusing them. */
  readonly acceptNew: boolean;
  /** The snapshot that CircleCI's sidecars start from. */
  readonly image?: string;
  /** The organisation of CircleCI's sidecars. */
  readonly orgId?: string;
  /** Of this package. */
  readonly version: string;
  readonly clock: Clock;
  /** Draws in [0, 1). */
  readonly random: () => number;
  readonly signal: AbortSignal;
  /** A sentence that people should see. */
  readonly onNotice: (message: string) => void;
}

/**
 * Opens the hosts of a choice, loading only what that kind needs. Connects to none of them.
 *
 * @throws SidecanaryError `usage` where something is missing or malformed, `config-invalid`,
 *   `host-failed`
 */
export async function openHosts(
  target: HostsTarget,
  options: OpenHostsOptions,
): Promise<HostProvider> {
  try {
    switch (target.kind) {
      case "ssh":
        return await openSsh(target.targets, options);
      case "docker":
        return await openContainers(target.target, options);
      case "circleci": {
        const { openCircleci } = await import("./circleci/open-circleci.ts");
        return await openCircleci(options);
      }
      case "host": {
        const { openSidecarHost } = await import("./circleci/open-sidecar-host.ts");
        return await openSidecarHost(target.target, options);
      }
    }
  } catch (error) {
    if (!(error instanceof RangeError)) throw error;
    throw new SidecanaryError("usage", error.message, { option: "--sidecar" }, error);
  }
}

async function openContainers(target: string, options: OpenHostsOptions): Promise<HostProvider> {
  const [{ createContainerHosts }, { parseContainerTarget }] = await Promise.all([
    import("./container/container-hosts.ts"),
    import("./container/container-target.ts"),
  ]);
  const { kind: _, lanes: _lanes, ...limits } = parseContainerTarget(target);
  const { env, clock, onNotice } = options;
  let told = "";
  return createContainerHosts({
    ...limits,
    env,
    clock,
    onPull: () => {
      if (told === "") onNotice(told = `Downloading the image ${limits.image}`);
    },
  });
}

async function openSsh(
  targets: readonly string[],
  options: OpenHostsOptions,
): Promise<HostProvider> {
  const { createSshHosts } = await import("./ssh/ssh-hosts.ts");
  const { env, cwd, identityFile, acceptNew, clock, onNotice } = options;
  return createSshHosts({
    targets,
    env,
    ...(env["HOME"] ? { home: env["HOME"] } : {}),
    ...(identityFile === undefined ? {} : {
      identityFile: identityFile.startsWith("~/") ? identityFile : resolve(cwd, identityFile),
    }),
    acceptNew,
    clock,
    onNotice,
  });
}
