import { IndexedHeap } from "./indexed-heap.ts";
import { compareText } from "../text-order.ts";
import type {
  ActorRow,
  DeadLetterRow,
  InboxRow,
  JournalRow,
  MachineRow,
  OutboxRow,
  RecordRow,
  TimerRow,
} from "../store.ts";

/** An inbox row, and when it arrived: the time that claims are ordered by. */
export interface Arrival {
  readonly row: InboxRow;
  readonly at: number;
}

/**
 * Everything that belongs to one actor. All rows are frozen. The collections are there only while
 * they hold something, because most actors are idle.
 */
export interface Entry {
  readonly id: string;
  /** `undefined` while there are only events that wait for an actor to be made. */
  row: ActorRow | undefined;
  /** Contiguous; the first is `row.base`. */
  journal: JournalRow[];
  /** Revisions by event id, once the journal is too long to be searched. */
  applied: Map<string, number> | undefined;
  open: Map<string, OutboxRow> | undefined;
  closed: Map<string, OutboxRow> | undefined;
  inbox: Map<string, Arrival> | undefined;
  timers: Map<string, TimerRow> | undefined;
  letters: Map<string, DeadLetterRow> | undefined;
}

const SEARCHED_JOURNAL = 16;

/** The rows of a memory store, and the two indexes that find work without looking at every actor. */
export class Tables {
  readonly entries = new Map<string, Entry>();
  readonly machines = new Map<string, MachineRow>();
  readonly records = new Map<string, Map<string, RecordRow>>();
  /** In the order of commits. */
  feed: JournalRow[] = [];
  /** In the order of writing. */
  readonly letters = new Set<DeadLetterRow>();
  /** Actors by the earliest time of work that nobody was handed. */
  readonly due = new IndexedHeap();
  /** By owner: its actors with effects that were handed out, by the end of the lease. */
  readonly running = new Map<string, IndexedHeap>();
  journalSeq = 0;
  inboxSeq = 0;
  #sorted: readonly Entry[] | undefined;

  entry(id: string): Entry {
    let entry = this.entries.get(id);
    if (entry === undefined) {
      entry = {
        id,
        row: undefined,
        journal: [],
        applied: undefined,
        open: undefined,
        closed: undefined,
        inbox: undefined,
        timers: undefined,
        letters: undefined,
      };
      this.entries.set(id, entry);
      this.#sorted = undefined;
    }
    return entry;
  }

  /** Entries by id. */
  sorted(): readonly Entry[] {
    this.#sorted ??= [...this.entries.values()].sort((a, b) => compareText(a.id, b.id));
    return this.#sorted;
  }

  /** Puts the actor's row. Its place among the running is kept in step. */
  setRow(entry: Entry, row: ActorRow | undefined): void {
    const before = entry.row?.owner ?? null;
    if (before !== null && before !== row?.owner) {
      this.running.get(before)?.set(entry.id, undefined);
    }
    entry.row = row === undefined ? undefined : Object.freeze(row);
  }

  appendJournal(entry: Entry, row: Omit<JournalRow, "seq">): void {
    const kept = Object.freeze({
      seq: ++this.journalSeq,
      actor: row.actor,
      revision: row.revision,
      eventId: row.eventId,
      event: row.event,
      cause: row.cause,
      at: row.at,
      edges: row.edges,
      change: row.change,
    });
    entry.journal.push(kept);
    this.feed.push(kept);
    if (entry.applied !== undefined) entry.applied.set(kept.eventId, kept.revision);
    else if (entry.journal.length > SEARCHED_JOURNAL) {
      entry.applied = new Map(entry.journal.map((each) => [each.eventId, each.revision]));
    }
  }

  /** Brings both indexes in step with the actor's rows, and lets go of what is empty. */
  reindex(entry: Entry): void {
    if (entry.open?.size === 0) entry.open = undefined;
    if (entry.inbox?.size === 0) entry.inbox = undefined;
    if (entry.timers?.size === 0) entry.timers = undefined;
    const { row } = entry;
    let due: number | undefined;
    let running = false;
    if (row !== undefined) {
      for (const each of entry.open?.values() ?? []) {
        if (each.claimed !== null) running = true;
        else if (due === undefined || each.due < due) due = each.due;
      }
      for (const each of entry.timers?.values() ?? []) {
        if (due === undefined || each.due < due) due = each.due;
      }
      for (const each of entry.inbox?.values() ?? []) {
        if (due === undefined || each.at < due) due = each.at;
        break;
      }
    }
    this.due.set(entry.id, due);
    if (row?.owner == null) return;
    let heap = this.running.get(row.owner);
    if (heap === undefined && running) this.running.set(row.owner, heap = new IndexedHeap());
    heap?.set(entry.id, running ? row.leaseUntil : undefined);
    if (heap?.size === 0) this.running.delete(row.owner);
  }

  /** Forgets an entry that holds nothing. */
  drop(entry: Entry): void {
    this.entries.delete(entry.id);
    this.#sorted = undefined;
  }
}

/** The revision that applied an event of this actor. */
export function appliedRevision(entry: Entry, eventId: string): number | undefined {
  if (entry.applied !== undefined) return entry.applied.get(eventId);
  return entry.journal.find((row) => row.eventId === eventId)?.revision;
}

/** Moves an open outbox row to another state. A row that is not open is left alone. */
export function closeOutbox(
  entry: Entry,
  id: string,
  state: "done" | "cancelled" | "dead",
): boolean {
  const row = entry.open?.get(id);
  if (row === undefined) return false;
  entry.open!.delete(id);
  entry.closed ??= new Map();
  entry.closed.set(id, Object.freeze({ ...row, state }));
  return true;
}

/** Makes every open outbox row free to be handed out: its epoch is over. */
export function unclaim(entry: Entry): void {
  for (const row of entry.open?.values() ?? []) {
    if (row.claimed !== null) entry.open!.set(row.id, Object.freeze({ ...row, claimed: null }));
  }
}

/** The earliest due time among open rows that were handed out. */
export function earliestClaimed(entry: Entry): number {
  let due = Infinity;
  for (const row of entry.open?.values() ?? []) {
    if (row.claimed !== null && row.due < due) due = row.due;
  }
  return due;
}
