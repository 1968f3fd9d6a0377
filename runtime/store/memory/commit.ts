import { appliedRevision, closeOutbox, type Entry, type Tables, unclaim } from "./tables.ts";
import type { ActorRow, Commit, CommitResult, DeadLetterRow, Transition } from "../store.ts";

/** Checks a commit against the tables and writes it, or says why not. */
export function applyCommit(tables: Tables, commit: Commit): CommitResult {
  const refused = duplicate(tables, commit) ?? conflict(tables, commit) ??
    fenced(tables, commit) ?? recordConflict(tables, commit);
  if (refused !== undefined) return refused;
  const touched = new Set<Entry>();
  for (const transition of commit.transitions) {
    writeTransition(tables, transition, commit, touched);
  }
  for (const letter of commit.deadLetters) touched.add(writeDeadLetter(tables, letter));
  writeRecords(tables, commit);
  for (const entry of touched) tables.reindex(entry);
  return {
    outcome: "committed",
    actors: commit.transitions.map(({ actor }) => tables.entries.get(actor.id)!.row!),
  };
}

/** Keeps a dead letter, unless the event has one or was applied. Answers whose it is. */
export function writeDeadLetter(tables: Tables, letter: DeadLetterRow): Entry {
  const entry = tables.entry(letter.actor);
  if (known(entry, letter.eventId) !== undefined) return entry;
  const { actor, eventId, event, reason, error, at } = letter;
  const kept = Object.freeze({ actor, eventId, event, reason, error, at });
  entry.letters ??= new Map();
  entry.letters.set(eventId, kept);
  tables.letters.add(kept);
  entry.inbox?.delete(eventId);
  closeOutbox(entry, eventId, "dead");
  return entry;
}

type Earlier = Extract<CommitResult, { outcome: "duplicate" }>["earlier"];

function known(entry: Entry, eventId: string): Earlier | undefined {
  const revision = appliedRevision(entry, eventId);
  if (revision !== undefined) return { kind: "applied", revision };
  const letter = entry.letters?.get(eventId);
  return letter && { kind: "dead-letter", reason: letter.reason };
}

function duplicate(tables: Tables, commit: Commit): CommitResult | undefined {
  // Dead letters alone are an acknowledgement: writing them again is no news.
  if (commit.transitions.length === 0) return undefined;
  const events = [...commit.transitions.map((each) => each.journal), ...commit.deadLetters];
  for (const { actor, eventId } of events) {
    const entry = tables.entries.get(actor);
    const earlier = entry && known(entry, eventId);
    if (earlier !== undefined) return { outcome: "duplicate", actor, eventId, earlier };
  }
  return undefined;
}

function conflict(tables: Tables, commit: Commit): CommitResult | undefined {
  const revisions = new Map<string, number>();
  for (const { actor, expected } of commit.transitions) {
    const current = tables.entries.get(actor.id)?.row ?? null;
    const revision = revisions.get(actor.id) ?? current?.revision ?? 0;
    if (revision !== expected) return { outcome: "conflict", actor: actor.id, current };
    revisions.set(actor.id, actor.revision);
  }
  return undefined;
}

function fenced(tables: Tables, commit: Commit): CommitResult | undefined {
  for (const { actor, fence } of commit.transitions) {
    const epoch = tables.entries.get(actor.id)?.row?.epoch ?? 0;
    if (fence !== undefined && fence !== epoch) {
      return { outcome: "fenced", actor: actor.id, epoch };
    }
  }
  return undefined;
}

function recordConflict(tables: Tables, commit: Commit): CommitResult | undefined {
  for (const { collection, key, expected } of commit.records) {
    const version = tables.records.get(collection)?.get(key)?.version ?? 0;
    if (expected !== undefined && expected !== version) {
      return { outcome: "record-conflict", collection, key, version };
    }
  }
  return undefined;
}

function writeTransition(
  tables: Tables,
  transition: Transition,
  commit: Commit,
  touched: Set<Entry>,
): void {
  const entry = tables.entry(transition.actor.id);
  touched.add(entry);
  const epochBefore = entry.row?.epoch;
  const row = nextRow(entry.row, transition, commit);
  tables.setRow(entry, row);
  if (epochBefore !== undefined && epochBefore !== row.epoch) unclaim(entry);
  tables.appendJournal(entry, transition.journal);
  entry.inbox?.delete(transition.journal.eventId);
  const claimed = commit.lease !== null && row.owner === commit.lease.owner ? row.epoch : null;
  for (const each of transition.outbox) {
    const { id, actor, revision, index, kind, payload, state, due, attempts } = each;
    const kept = { id, actor, revision, index, kind, payload, state, due, attempts, claimed };
    const rows = state === "open" ? entry.open ??= new Map() : entry.closed ??= new Map();
    rows.set(id, Object.freeze(kept));
  }
  for (const id of transition.settled) closeOutbox(entry, id, "done");
  for (const id of transition.cancelled) closeOutbox(entry, id, "cancelled");
  for (const id of transition.timersCleared) entry.timers?.delete(id);
  for (const { actor, id, revision, due, event } of transition.timersSet) {
    entry.timers ??= new Map();
    entry.timers.set(id, Object.freeze({ actor, id, revision, due, event }));
  }
  for (const { actor, eventId, event, cause } of transition.tells) {
    const receiver = tables.entry(actor);
    if (known(receiver, eventId) !== undefined || receiver.inbox?.has(eventId)) continue;
    const told = Object.freeze({ seq: ++tables.inboxSeq, actor, eventId, event, cause });
    receiver.inbox ??= new Map();
    receiver.inbox.set(eventId, { row: told, at: commit.now });
    touched.add(receiver);
  }
}

function nextRow(stored: ActorRow | undefined, { actor }: Transition, commit: Commit): ActorRow {
  const { lease, now } = commit;
  let owner = stored?.owner ?? null;
  let leaseUntil = stored?.leaseUntil ?? 0;
  let epoch = Math.max(actor.epoch, stored?.epoch ?? 0);
  if (lease !== null) {
    if (owner === lease.owner) leaseUntil = Math.max(leaseUntil, lease.until);
    else if (owner === null || leaseUntil <= now) {
      owner = lease.owner;
      leaseUntil = lease.until;
      epoch++;
    }
  }
  const { id, machine, hash, revision, status, state, supervisor, updatedAt } = actor;
  const base = stored?.base ?? revision;
  return {
    id,
    machine,
    hash,
    revision,
    base,
    epoch,
    status,
    state,
    supervisor,
    owner,
    leaseUntil,
    updatedAt,
  };
}

function writeRecords(tables: Tables, commit: Commit): void {
  for (const { collection, key, value } of commit.records) {
    let rows = tables.records.get(collection);
    if (rows === undefined) tables.records.set(collection, rows = new Map());
    if (value === null) rows.delete(key);
    else {
      const version = (rows.get(key)?.version ?? 0) + 1;
      rows.set(key, Object.freeze({ collection, key, value, version }));
    }
  }
}
