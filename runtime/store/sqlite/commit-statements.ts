import type { Driver, Statement } from "./driver.ts";
import { ACTOR } from "./rows.ts";

/** Prepares the statements that a commit is checked and written with. */
export function prepareCommitStatements(driver: Driver) {
  return {
    probe: driver.prepare(`
    SELECT a.revision, a.base, a.epoch, a.owner, a.lease_until AS leaseUntil, a.running,
      (SELECT revision FROM journal WHERE actor = ?1 AND event_id = ?2) AS applied,
      (SELECT reason FROM dead_letter WHERE actor = ?1 AND event_id = ?2) AS reason
    FROM (SELECT 1) LEFT JOIN actor a ON a.id = ?1`),
    readActor: driver.prepare(`SELECT ${ACTOR} FROM actor WHERE id = ?`),
    insertActor: driver.prepare(`
    INSERT INTO actor (machine, hash, revision, base, epoch, status, supervisor, owner, lease_until,
      updated_at, running, state, id) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)`),
    updateActor: driver.prepare(`
    UPDATE actor SET machine = ?, hash = ?, revision = ?, base = ?, epoch = ?, status = ?,
      supervisor = ?, owner = ?, lease_until = ?, updated_at = ?, running = ?, state = ?
    WHERE id = ?`),
    insertJournal: driver.prepare(`
    INSERT INTO journal (actor, revision, event_id, event, cause, at, edges, change)
    VALUES (?, ?, ?, ?, ?, ?, ?, ?)`),
    deleteInbox: driver.prepare("DELETE FROM inbox WHERE actor = ? AND event_id = ?"),
    insertInbox: driver.prepare(`
    INSERT INTO inbox (actor, event_id, event, cause, at) SELECT ?1, ?2, ?3, ?4, ?5
    WHERE NOT EXISTS (SELECT 1 FROM journal WHERE actor = ?1 AND event_id = ?2)
      AND NOT EXISTS (SELECT 1 FROM dead_letter WHERE actor = ?1 AND event_id = ?2)
      AND NOT EXISTS (SELECT 1 FROM inbox WHERE actor = ?1 AND event_id = ?2)`),
    insertOutbox: driver.prepare(`
    INSERT INTO outbox (id, actor, revision, idx, kind, payload, state, due, attempts, claimed)
    VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?)`),
    unclaim: driver.prepare(`
    UPDATE outbox INDEXED BY outbox_open SET claimed = NULL
    WHERE actor = ? AND state = 'open' AND claimed IS NOT NULL`),
    closeClaimed: driver.prepare(`
    UPDATE outbox SET state = ? WHERE id = ? AND actor = ? AND state = 'open'
      AND claimed IS NOT NULL`),
    closeWaiting: driver.prepare(`
    UPDATE outbox SET state = ? WHERE id = ? AND actor = ? AND state = 'open' AND claimed IS NULL`),
    setTimer: driver.prepare(`
    INSERT INTO timer (actor, id, revision, due, event) VALUES (?, ?, ?, ?, ?)
    ON CONFLICT (actor, id) DO UPDATE SET revision = excluded.revision, due = excluded.due,
      event = excluded.event`),
    clearTimer: driver.prepare("DELETE FROM timer WHERE actor = ? AND id = ?"),
    insertLetter: driver.prepare(`
    INSERT INTO dead_letter (actor, event_id, event, reason, error, at)
    VALUES (?, ?, ?, ?, ?, ?)`),
    ranOne: driver.prepare("UPDATE actor SET running = running - 1 WHERE id = ?"),
    readVersion: driver.prepare(
      "SELECT version FROM record WHERE collection = ? AND key = ?",
    ),
    writeRecord: driver.prepare(`
    INSERT INTO record (collection, key, value, version) VALUES (?, ?, ?, 1)
    ON CONFLICT (collection, key) DO UPDATE SET value = excluded.value, version = version + 1`),
    putMachine: driver.prepare(`
    INSERT INTO machine (hash, name, definition, at) VALUES (?, ?, ?, ?)
    ON CONFLICT (hash) DO NOTHING`),
    deleteRecord: driver.prepare("DELETE FROM record WHERE collection = ? AND key = ?"),
  } satisfies Record<string, Statement>;
}
