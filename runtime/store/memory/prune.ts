import type { Entry, Tables } from "./tables.ts";
import type { PruneResult } from "../store.ts";

/** Forgets what is older than `before`. */
export function prune(tables: Tables, before: number): PruneResult {
  const removed = { journal: 0, outbox: 0, deadLetters: 0, actors: 0 };
  for (const letter of tables.letters) {
    if (letter.at >= before) continue;
    tables.letters.delete(letter);
    tables.entries.get(letter.actor)?.letters?.delete(letter.eventId);
    removed.deadLetters++;
  }
  for (const entry of tables.entries.values()) {
    if (entry.letters?.size === 0) entry.letters = undefined;
    const { row } = entry;
    if (row === undefined) {
      if (entry.inbox === undefined && entry.letters === undefined) tables.drop(entry);
      continue;
    }
    const ended = row.status === "done" || row.status === "error" || row.status === "stopped";
    const idle = entry.open === undefined && entry.inbox === undefined &&
      entry.timers === undefined;
    if (ended && idle && row.updatedAt < before) {
      removed.actors++;
      removed.journal += entry.journal.length;
      removed.outbox += entry.closed?.size ?? 0;
      tables.setRow(entry, undefined);
      entry.journal = [];
      entry.applied = undefined;
      entry.closed = undefined;
      if (entry.letters === undefined) tables.drop(entry);
    } else {
      removed.journal += pruneJournal(tables, entry, before);
      removed.outbox += pruneOutbox(entry);
    }
  }
  tables.feed = tables.feed.filter((row) => {
    const base = tables.entries.get(row.actor)?.row?.base;
    return base !== undefined && row.revision >= base;
  });
  return removed;
}

function pruneJournal(tables: Tables, entry: Entry, before: number): number {
  const young = entry.journal.findIndex((row) => row.at >= before);
  const count = young === -1 ? entry.journal.length - 1 : Math.min(young, entry.journal.length - 1);
  if (count <= 0) return 0;
  for (const row of entry.journal.splice(0, count)) entry.applied?.delete(row.eventId);
  tables.setRow(entry, { ...entry.row!, base: entry.journal[0]!.revision });
  return count;
}

function pruneOutbox(entry: Entry): number {
  let count = 0;
  for (const row of entry.closed?.values() ?? []) {
    if (row.revision >= entry.row!.base) continue;
    entry.closed!.delete(row.id);
    count++;
  }
  if (entry.closed?.size === 0) entry.closed = undefined;
  return count;
}
