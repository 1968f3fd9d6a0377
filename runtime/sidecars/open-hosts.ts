import type { Clock } from "../clock.ts";
import { hostFailed } from "./host-failed.ts";
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
  readonly identityFile?: string;
  /** Remember the keys of ssh hosts that are not known yet, in place of refusing them. */
  readonly acceptNew: boolean;
  readonly image?: string;
  readonly orgId?: string;
  readonly clock: Clock;
  /** Draws in [0, 1). */
  readonly random: () => number;
  readonly signal: AbortSignal;
  /** A sentence that people should see. */
  readonly onNotice: (message: string) => void;
}

/**
 * Opens the hosts of a choice, loading only what that kind needs. Connects to nothing.
 *
 * @throws SidecanaryError `usage` where something is missing or malformed, `host-failed`
 */
export function openHosts(target: HostsTarget, _options: OpenHostsOptions): Promise<HostProvider> {
  return Promise.reject(hostFailed(`${target.kind} hosts are not there yet`, {
    host: target.kind,
    fault: "config",
    kind: "never",
  }));
}
