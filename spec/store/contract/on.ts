import type { ClaimRequest, Store } from "../../../runtime/store/store.ts";
import { HASHES } from "../builders.ts";

/** Registers a test on an empty store of its own. */
export type On = (title: string, body: (store: Store) => Promise<void>) => void;

/** A claim of up to ten actors for 100 ms. */
export function claimBy(owner: string, now = 10, more: Partial<ClaimRequest> = {}): ClaimRequest {
  return { owner, hashes: HASHES, now, until: now + 100, limit: 10, ...more };
}

/** What a promise rejects with. */
export async function rejection(promise: Promise<unknown>): Promise<unknown> {
  try {
    await promise;
  } catch (error) {
    return error;
  }
  throw new Error("it did not reject");
}
