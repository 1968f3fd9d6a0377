import type {
  ActorRow,
  DeadLetterRow,
  InboxRow,
  JournalRow,
  OutboxRow,
  RecordRow,
  TimerRow,
} from "../store.ts";

/** The columns of each table under the names of the contract. */
export const ACTOR =
  `id, machine, hash, revision, base, epoch, status, state, supervisor, nullif(owner, '') AS owner, ` +
  `lease_until AS leaseUntil, updated_at AS updatedAt`;
export const JOURNAL = `seq, actor, revision, event_id AS eventId, event, cause, at, edges, change`;
export const OUTBOX =
  `id, actor, revision, idx AS "index", kind, payload, state, due, attempts, claimed`;
export const INBOX = `seq, actor, event_id AS eventId, event, cause`;
export const TIMER = `actor, id, revision, due, event`;
export const DEAD_LETTER = `actor, event_id AS eventId, event, reason, error, at`;
export const RECORD = `collection, key, value, version`;

/*
 * What a driver answers has more fields (libsql) or no prototype (node:sqlite), so every row is
 * copied field by field.
 */

export function actorRow(raw: unknown): ActorRow {
  const row = raw as ActorRow;
  return {
    id: row.id,
    machine: row.machine,
    hash: row.hash,
    revision: row.revision,
    base: row.base,
    epoch: row.epoch,
    status: row.status,
    state: row.state,
    supervisor: row.supervisor,
    owner: row.owner,
    leaseUntil: row.leaseUntil,
    updatedAt: row.updatedAt,
  };
}

export function journalRow(raw: unknown): JournalRow {
  const { seq, actor, revision, eventId, event, cause, at, edges, change } = raw as JournalRow;
  return { seq, actor, revision, eventId, event, cause, at, edges, change };
}

export function outboxRow(raw: unknown): OutboxRow {
  const row = raw as OutboxRow;
  return {
    id: row.id,
    actor: row.actor,
    revision: row.revision,
    index: row.index,
    kind: row.kind,
    payload: row.payload,
    state: row.state,
    due: row.due,
    attempts: row.attempts,
    claimed: row.claimed,
  };
}

export function inboxRow(raw: unknown): InboxRow {
  const { seq, actor, eventId, event, cause } = raw as InboxRow;
  return { seq, actor, eventId, event, cause };
}

export function timerRow(raw: unknown): TimerRow {
  const { actor, id, revision, due, event } = raw as TimerRow;
  return { actor, id, revision, due, event };
}

export function deadLetterRow(raw: unknown): DeadLetterRow {
  const { actor, eventId, event, reason, error, at } = raw as DeadLetterRow;
  return { actor, eventId, event, reason, error, at };
}

export function recordRow(raw: unknown): RecordRow {
  const { collection, key, value, version } = raw as RecordRow;
  return { collection, key, value, version };
}
