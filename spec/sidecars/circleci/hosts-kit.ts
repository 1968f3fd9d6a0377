import type { Clock } from "../../../runtime/clock.ts";
import {
  type CircleciHostsOptions,
  createCircleciHosts,
} from "../../../runtime/sidecars/circleci/circleci-hosts.ts";
import { formatHostName } from "../../../runtime/sidecars/host-name.ts";
import type { HostProvider, HostSpec } from "../../../runtime/sidecars/host-provider.ts";
import { fileHostKeyPins, type HostKeyPins } from "../../../runtime/ssh/pinned-host-keys.ts";
import type { FakeCircleciOptions } from "../../kit/fake-circleci.ts";
import { type FakeTunnels, fakeTunnels } from "../../kit/fake-tunnels.ts";
import { newKey } from "../../kit/ssh-server.ts";
import { tempDir } from "../../kit/temp-dir.ts";
import { type ApiKit, withApi } from "./api-kit.ts";

export const HOUR = 3_600_000;
/** Where the quick clock begins. */
export const NOW = Date.UTC(2026, 0, 1);
/** What every provider logs in with. */
export const KEY = newKey();

/** A name of ours. */
export function nameOf(index: number, expiresAt = NOW + HOUR, owner = "owner001"): string {
  return formatHostName({ owner, run: "run", index, expiresAt });
}

/** The host at a place of this run. */
export function specOf(index: number): HostSpec {
  return { name: nameOf(index), index, expiresAt: NOW + HOUR };
}

/** A provider over a fake API and real tunnels. */
export interface HostsKit extends ApiKit {
  readonly hosts: HostProvider;
  readonly pins: HostKeyPins;
  readonly tunnels: FakeTunnels;
  /** A provider of another process. */
  another(options?: Partial<CircleciHostsOptions>): HostProvider;
}

/** How {@link withHosts} works. */
export interface HostsKitOptions extends FakeCircleciOptions {
  readonly provider?: Partial<CircleciHostsOptions>;
  /** @default the quick clock, with which nothing can be dialled */
  readonly clock?: Clock;
}

/** A test with a provider over a fake API and real tunnels. */
export function withHosts(
  body: (kit: HostsKit) => Promise<void>,
  { provider, clock, ...options }: HostsKitOptions = {},
): () => Promise<void> {
  return async () => {
    const tunnels = await fakeTunnels();
    const pins = fileHostKeyPins(await tempDir());
    try {
      await withApi(async (kit) => {
        const another = (more: Partial<CircleciHostsOptions> = {}) =>
          createCircleciHosts({
            api: clock === undefined ? kit.api : kit.clientWith(clock),
            org: kit.fake.org,
            identity: { kind: "key", key: KEY },
            pins,
            clock: clock ?? kit.clock,
            random: () => 0,
            onWarning: (message) => kit.warnings.push(message),
            ...provider,
            ...more,
          });
        const hosts = another();
        try {
          await body({ ...kit, hosts, pins, tunnels, another });
        } finally {
          await hosts.close();
        }
      }, { tunnelOf: tunnels.tunnelOf, ...options });
    } finally {
      await tunnels.close();
    }
  };
}
