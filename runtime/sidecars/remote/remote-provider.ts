import type { Clock } from "../../clock.ts";
import type { Random } from "../../random.ts";
import type { Payload } from "../../sync/payload.ts";
import { hostFailed } from "../host-failed.ts";
import type { HostProvider } from "../host-provider.ts";
import type { Provider } from "../provider.ts";

/** How {@link createRemoteProvider} works. */
export interface RemoteOptions {
  readonly hosts: HostProvider;
  readonly payload: Payload;
  /** Whose the hosts are: see `host-name.ts`. */
  readonly owner: string;
  /** What they are made for: see `host-name.ts`. */
  readonly run: string;
  /** How many sidecars live on one host. */
  readonly lanesPerHost: number;
  /** How long until anybody may destroy a host, in ms. */
  readonly ttlMs: number;
  /** What runs once on each host after the payload is there first. */
  readonly setup?: { readonly command: string; readonly lockFiles: readonly string[] };
  readonly clock: Clock;
  readonly random: Random;
  /** A sentence that people should see. */
  readonly onNotice: (message: string) => void;
}

/** Not made yet: refuses. */
export function createRemoteProvider({ hosts }: RemoteOptions): Provider {
  throw hostFailed("Sidecars over a network are not there yet", {
    host: hosts.kind,
    fault: "config",
    kind: "never",
  });
}
