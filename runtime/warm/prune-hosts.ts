import { isSidecanaryError } from "../errors.ts";
import type { HostProvider, HostRef } from "../sidecars/host-provider.ts";
import type { NamedHost } from "./list-warm.ts";
import { removeWorkspace } from "./remove-workspace.ts";

/** What was pruned. */
export interface Pruned {
  readonly removed: readonly string[];
  /** Live ones, of whomever. */
  readonly spared: readonly string[];
  /** Names that tell no believable time: nobody knows whether they have expired. */
  readonly undatable: readonly string[];
  readonly failed: readonly { readonly host: string; readonly reason: string }[];
}

/** Destroys the expired ones of `hosts`, of any owner. Live ones are never touched. */
export async function pruneHosts(
  provider: HostProvider,
  hosts: readonly NamedHost[],
  { dryRun, signal }: { readonly dryRun: boolean; readonly signal: AbortSignal },
): Promise<Pruned> {
  const removed: string[] = [];
  const failed: { host: string; reason: string }[] = [];
  const expired = hosts.filter((each) => each.expired);
  // Listed again: some may have gone meanwhile.
  const refs = expired.length === 0 ? [] : await provider.list(signal);
  for (const { host } of expired) {
    signal.throwIfAborted();
    try {
      if (!dryRun) await destroy(provider, refs.find(({ name }) => name === host), signal);
      removed.push(host);
    } catch (error) {
      if (!isSidecanaryError(error, "host-failed")) throw error;
      failed.push({ host, reason: error.message });
    }
  }
  return {
    removed,
    spared: hosts.filter((each) => !each.expired && each.expiresAt !== null).map(({ host }) =>
      host
    ),
    undatable: hosts.filter(({ expiresAt }) => expiresAt === null).map(({ host }) => host),
    failed,
  };
}

async function destroy(
  provider: HostProvider,
  ref: HostRef | undefined,
  signal: AbortSignal,
): Promise<void> {
  if (ref === undefined) return;
  if (!provider.disposable) await removeWorkspace(provider, ref, undefined, signal);
  await provider.destroy(ref, signal);
}
