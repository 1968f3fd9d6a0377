import type { Clock } from "../../clock.ts";
import { isSidecanaryError } from "../../errors.ts";
import { pause } from "../../pause.ts";
import type { Random } from "../../random.ts";
import type { KeyAdded, SidecarApi } from "./sidecar-api.ts";

/** What is needed to let a key into a sidecar. */
export interface AddKeyOptions {
  readonly api: SidecarApi;
  readonly id: string;
  /** `ssh-ed25519 AAAA…` */
  readonly publicKey: string;
  /**
   * Whether this process has just made the sidecar: then 404 means that the API does not know it
   * everywhere yet.
   */
  readonly fresh: boolean;
  readonly clock: Clock;
  readonly random: Random;
  readonly signal: AbortSignal;
}

/** Waits before the second, third and fourth attempt, as chunk has them. */
const WAITS_MS = [5_000, 10_000, 15_000];
const JITTER_MS = 2_000;
const ATTEMPT_MS = 30_000;

/**
 * Lets a key into a sidecar. A first registration may not be answered in time and be done all the
 * same, so it is repeated after a timeout, and after a 404 where the sidecar is fresh.
 *
 * @throws SidecanaryError `host-failed`; the signal's reason when aborted
 */
export async function addKey(
  { api, id, publicKey, fresh, clock, random, signal }: AddKeyOptions,
): Promise<KeyAdded> {
  for (let attempt = 0;; attempt++) {
    try {
      return await api.addKey(id, publicKey, signal, ATTEMPT_MS);
    } catch (error) {
      const wait = WAITS_MS[attempt];
      if (wait === undefined || !isSidecanaryError(error, "host-failed")) throw error;
      const { fault } = error.details;
      if (fault !== "dial-timeout" && !(fault === "not-found" && fresh)) throw error;
      await pause(clock, wait + random() * JITTER_MS, signal);
    }
  }
}
