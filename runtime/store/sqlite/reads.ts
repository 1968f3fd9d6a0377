import { compareText, textAfterPrefix } from "../text-order.ts";
import type { Driver } from "./driver.ts";
import type {
  ActorRow,
  DeadLetterRow,
  InboxRow,
  JournalRow,
  MachineRow,
  OutboxRow,
  RecordRow,
  Store,
  TimerRow,
} from "../store.ts";
import * as rows from "./rows.ts";

/** The store's plain reads. */
export interface Reads {
  actor(id: string): ActorRow | undefined;
  actors(query: Parameters<Store["actors"]>[0]): ActorRow[];
  journal(actor: string, from: number, limit: number): JournalRow[];
  feed(afterSeq: number, limit: number): JournalRow[];
  outbox(actor: string | null, limit: number): OutboxRow[];
  timers(actor: string | null, limit: number): TimerRow[];
  inbox(actor: string, limit: number): InboxRow[];
  deadLetters(actor: string | null, limit: number): DeadLetterRow[];
  machine(hash: string): MachineRow | undefined;
  record(collection: string, key: string): RecordRow | undefined;
  records(collection: string, query: Parameters<Store["records"]>[1]): RecordRow[];
}

/** Prepares the statements of {@link Reads}. */
export function prepareReads(driver: Driver): Reads {
  const { ACTOR, JOURNAL, OUTBOX, INBOX, TIMER, DEAD_LETTER, RECORD } = rows;
  const actor = driver.prepare(`SELECT ${ACTOR} FROM actor WHERE id = ?`);
  // A blob is above every text: x'' is the end where there is no other.
  const actors = driver.prepare(`
    SELECT ${ACTOR} FROM actor
    WHERE id >= ?1 AND id < coalesce(?2, x'') AND (?3 IS NULL OR id <> ?3)
      AND (?4 IS NULL OR machine = ?4) AND (?5 IS NULL OR status = ?5)
    ORDER BY id LIMIT ?6`);
  const journal = driver.prepare(`
    SELECT ${JOURNAL} FROM journal WHERE actor = ? AND revision >= ? ORDER BY revision LIMIT ?`);
  const feed = driver.prepare(`SELECT ${JOURNAL} FROM journal WHERE seq > ? ORDER BY seq LIMIT ?`);
  const outboxOf = driver.prepare(`
    SELECT ${OUTBOX} FROM outbox WHERE actor = ? ORDER BY revision, idx LIMIT ?`);
  const outboxOpen = driver.prepare(`
    SELECT ${OUTBOX} FROM outbox WHERE state = 'open' ORDER BY due, actor, revision, idx LIMIT ?`);
  const timersOf = driver.prepare(`
    SELECT ${TIMER} FROM timer WHERE actor = ? ORDER BY due, id LIMIT ?`);
  const timersAll = driver.prepare(`SELECT ${TIMER} FROM timer ORDER BY due, actor, id LIMIT ?`);
  const inbox = driver.prepare(`SELECT ${INBOX} FROM inbox WHERE actor = ? ORDER BY seq LIMIT ?`);
  const lettersOf = driver.prepare(`
    SELECT ${DEAD_LETTER} FROM dead_letter WHERE actor = ? ORDER BY seq LIMIT ?`);
  const lettersAll = driver.prepare(`SELECT ${DEAD_LETTER} FROM dead_letter ORDER BY seq LIMIT ?`);
  const machine = driver.prepare(`SELECT hash, name, definition, at FROM machine WHERE hash = ?`);
  const record = driver.prepare(`SELECT ${RECORD} FROM record WHERE collection = ? AND key = ?`);
  const records = driver.prepare(`
    SELECT ${RECORD} FROM record
    WHERE collection = ?1 AND key >= ?2 AND key < coalesce(?3, x'') AND (?4 IS NULL OR key <> ?4)
    ORDER BY key LIMIT ?5`);

  return {
    actor(id) {
      const row = actor.get(id);
      return row === undefined ? undefined : rows.actorRow(row);
    },
    actors({ machine = null, status = null, prefix, after, limit }) {
      const range = rangeOf(prefix, after);
      return actors.all(...range, machine, status, limit).map(rows.actorRow);
    },
    journal: (id, from, limit) => journal.all(id, from, limit).map(rows.journalRow),
    feed: (afterSeq, limit) => feed.all(afterSeq, limit).map(rows.journalRow),
    outbox: (id, limit) =>
      (id === null ? outboxOpen.all(limit) : outboxOf.all(id, limit)).map(rows.outboxRow),
    timers: (id, limit) =>
      (id === null ? timersAll.all(limit) : timersOf.all(id, limit)).map(rows.timerRow),
    inbox: (id, limit) => inbox.all(id, limit).map(rows.inboxRow),
    deadLetters: (id, limit) =>
      (id === null ? lettersAll.all(limit) : lettersOf.all(id, limit)).map(rows.deadLetterRow),
    machine(hash) {
      const row = machine.get(hash) as MachineRow | undefined;
      return row && { hash: row.hash, name: row.name, definition: row.definition, at: row.at };
    },
    record(collection, key) {
      const row = record.get(collection, key);
      return row === undefined ? undefined : rows.recordRow(row);
    },
    records: (collection, { prefix, after, limit }) =>
      records.all(collection, ...rangeOf(prefix, after), limit).map(rows.recordRow),
  };
}

/** First text (inclusive), end (exclusive), and the one to leave out. */
function rangeOf(
  prefix = "",
  after: string | null = null,
): [string, string | null, string | null] {
  const from = after !== null && compareText(after, prefix) > 0 ? after : prefix;
  return [from, textAfterPrefix(prefix) ?? null, after];
}
