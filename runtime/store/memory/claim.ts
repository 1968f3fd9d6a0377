import { compareText } from "../text-order.ts";
import { earliestClaimed, type Entry, type Tables, unclaim } from "./tables.ts";
import type { ActorRow, ClaimedWork, ClaimRequest, OutboxRow } from "../store.ts";

/** Takes leases of actors with due work and hands the work over. */
export function claim(tables: Tables, request: ClaimRequest): ClaimedWork[] {
  const hashes = new Set(request.hashes);
  const found = new Map<string, { readonly entry: Entry; readonly due: number }>();
  const add = (entry: Entry, due: number) => {
    const earlier = found.get(entry.id);
    if (earlier === undefined || due < earlier.due) found.set(entry.id, { entry, due });
  };
  if (request.limit > 0) {
    for (const { id, key } of tables.due.ascending()) {
      if (key > request.now || found.size >= request.limit) break;
      const entry = tables.entries.get(id)!;
      if (hashes.has(entry.row!.hash) && available(entry.row!, request)) add(entry, key);
    }
    const { owner: self, running } = request;
    for (const [owner, heap] of tables.running) {
      if (owner === self && running === undefined) continue;
      let taken = 0;
      for (const { id, key } of heap.ascending()) {
        if (key > request.now || taken >= request.limit) break;
        const entry = tables.entries.get(id)!;
        if (isOwn(entry.row!, request)) continue;
        const due = Math.max(key, earliestClaimed(entry));
        if (due > request.now || !hashes.has(entry.row!.hash)) continue;
        add(entry, due);
        taken++;
      }
    }
  }
  return [...found.values()]
    .sort((a, b) => a.due - b.due || compareText(a.entry.id, b.entry.id))
    .slice(0, Math.max(0, request.limit))
    .map(({ entry }) => take(tables, entry, request));
}

/** The earliest time at which {@link claim} would find something. */
export function nextDue(
  tables: Tables,
  owner: string,
  hashes: ReadonlySet<string>,
  now: number,
): number | undefined {
  let best = Infinity;
  for (const { id, key } of tables.due.ascending()) {
    if (key >= best) break;
    const row = tables.entries.get(id)!.row!;
    if (!hashes.has(row.hash)) continue;
    best = Math.min(best, available(row, { owner, now }) ? key : Math.max(key, row.leaseUntil));
  }
  for (const [other, heap] of tables.running) {
    if (other === owner) continue;
    for (const { id, key } of heap.ascending()) {
      if (key >= best) break;
      const entry = tables.entries.get(id)!;
      if (hashes.has(entry.row!.hash)) best = Math.min(best, Math.max(key, earliestClaimed(entry)));
    }
  }
  return best === Infinity ? undefined : Math.max(best, now);
}

function available(row: ActorRow, to: { readonly owner: string; readonly now: number }): boolean {
  return row.owner === null || row.owner === to.owner || row.leaseUntil <= to.now;
}

/** Whether the epoch goes on when the lease is taken. */
function isOwn(row: ActorRow, { owner, now, running }: ClaimRequest): boolean {
  if (row.owner !== owner) return false;
  return row.leaseUntil > now || running === undefined || running.includes(row.id);
}

function take(tables: Tables, entry: Entry, request: ClaimRequest): ClaimedWork {
  const { owner, now, until } = request;
  const stored = entry.row!;
  const own = isOwn(stored, request);
  const epoch = own ? stored.epoch : stored.epoch + 1;
  const leaseUntil = own ? Math.max(stored.leaseUntil, until) : until;
  if (!own) unclaim(entry);
  tables.setRow(entry, { ...stored, owner, epoch, leaseUntil });
  const outbox: OutboxRow[] = [];
  for (const row of entry.open?.values() ?? []) {
    if (row.claimed !== null || row.due > now) continue;
    const claimed = Object.freeze({ ...row, claimed: epoch });
    entry.open!.set(row.id, claimed);
    outbox.push(claimed);
  }
  tables.reindex(entry);
  return {
    actor: entry.row!,
    outbox: outbox.sort((a, b) => a.revision - b.revision || a.index - b.index),
    inbox: [...entry.inbox?.values() ?? []].map((arrival) => arrival.row),
    timers: [...entry.timers?.values() ?? []]
      .filter((row) => row.due <= now)
      .sort((a, b) => a.due - b.due || compareText(a.id, b.id)),
  };
}
