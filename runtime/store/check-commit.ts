import type { Commit, Transition } from "./store.ts";

/**
 * Refuses a commit that contradicts itself, before any store looks at what it holds. These are
 * defects of the caller, and never the outcome of a race.
 *
 * @throws {TypeError} naming the actor and the value
 */
export function checkCommit(commit: Commit): void {
  if (commit.lease?.owner === "") throw new TypeError("Cannot lease to the owner ''");
  const events = new Set<string>();
  for (const transition of commit.transitions) {
    checkTransition(transition);
    addOnce(events, transition.journal.actor, transition.journal.eventId, "event");
  }
  for (const letter of commit.deadLetters) {
    addOnce(events, letter.actor, letter.eventId, "event");
  }
  const keys = new Set<string>();
  for (const record of commit.records) addOnce(keys, record.collection, record.key, "record");
}

function checkTransition(transition: Transition): void {
  const { actor, expected, journal, outbox, tells, timersSet } = transition;
  if (actor.revision !== expected + 1 || journal.revision !== actor.revision) {
    throw new TypeError(
      `Cannot write revision ${actor.revision} of "${actor.id}" (journal ${journal.revision}): ` +
        `it must follow the expected revision ${expected}`,
    );
  }
  if (journal.actor !== actor.id) throw foreign(actor.id, "journal row", journal.actor);
  for (const row of outbox) {
    if (row.actor !== actor.id) throw foreign(actor.id, "outbox row", row.actor);
    if (row.revision !== actor.revision) {
      throw new TypeError(`Cannot write outbox row "${row.id}" at revision ${row.revision}`);
    }
  }
  for (const row of timersSet) {
    if (row.actor !== actor.id) throw foreign(actor.id, "timer", row.actor);
    checkId(row.actor, row.id);
  }
  for (const row of tells) checkId(row.actor, row.eventId);
}

function addOnce(seen: Set<string>, first: string, second: string, what: string): void {
  checkId(first, second);
  const key = JSON.stringify([first, second]);
  if (seen.has(key)) throw new TypeError(`Cannot commit the same ${what} twice: current is ${key}`);
  seen.add(key);
}

function checkId(...parts: readonly [string, string]): void {
  // SQLite hands a text out only up to it, PostgreSQL takes none.
  if (!parts.some((part) => part.includes("\0"))) return;
  throw new TypeError(`Cannot store the id ${JSON.stringify(parts)}: it has a U+0000`);
}

function foreign(actor: string, what: string, other: string): TypeError {
  return new TypeError(`Cannot write a ${what} of "${other}" in a transition of "${actor}"`);
}
