import type { Driver } from "./driver.ts";
import type { PruneResult } from "../store.ts";

/** Forgets in steps, so that no transaction holds the event loop for long. */
export interface Pruner {
  /** The ids of the next actors to look at; none at the end. A read. */
  actorsAfter(id: string): string[];
  /** Prunes these actors, inside the transaction that the caller holds. */
  actors(ids: readonly string[], before: number): Omit<PruneResult, "deadLetters">;
  /** Prunes the next dead letters, inside the caller's transaction; 0 where none is left. */
  deadLetters(before: number): number;
}

const ACTORS_AT_ONCE = 250;
const LETTERS_AT_ONCE = 1_000;

/** Prepares the statements of {@link Pruner}. */
export function preparePrune(driver: Driver): Pruner {
  const nextIds = driver.prepare(
    `SELECT id FROM actor WHERE id > ? ORDER BY id LIMIT ${ACTORS_AT_ONCE}`,
  );
  const ended = driver.prepare(`
    SELECT 1 FROM actor a
    WHERE a.id = ?1 AND a.status IN ('done', 'error', 'stopped') AND a.updated_at < ?2
      AND NOT EXISTS (SELECT 1 FROM outbox WHERE actor = ?1 AND state = 'open')
      AND NOT EXISTS (SELECT 1 FROM inbox WHERE actor = ?1)
      AND NOT EXISTS (SELECT 1 FROM timer WHERE actor = ?1)`);
  // The first row that is young enough; without one, all but the latest go.
  const newBase = driver.prepare(`
    SELECT coalesce(
      (SELECT revision FROM journal WHERE actor = ?1 AND at >= ?2 ORDER BY revision LIMIT 1),
      a.revision
    ) AS base FROM actor a WHERE a.id = ?1`);
  const setBase = driver.prepare("UPDATE actor SET base = ?1 WHERE id = ?2 AND base < ?1");
  const journalBelow = driver.prepare("DELETE FROM journal WHERE actor = ? AND revision < ?");
  const outboxBelow = driver.prepare(`
    DELETE FROM outbox WHERE actor = ? AND state <> 'open'
      AND revision < (SELECT base FROM actor WHERE id = outbox.actor)`);
  const wholeJournal = driver.prepare("DELETE FROM journal WHERE actor = ?");
  const wholeOutbox = driver.prepare("DELETE FROM outbox WHERE actor = ?");
  const wholeActor = driver.prepare("DELETE FROM actor WHERE id = ?");
  const letters = driver.prepare(`
    DELETE FROM dead_letter WHERE seq IN
      (SELECT seq FROM dead_letter WHERE at < ? LIMIT ${LETTERS_AT_ONCE})`);

  return {
    actorsAfter: (id) => (nextIds.all(id) as { readonly id: string }[]).map((row) => row.id),
    actors(ids, before) {
      const removed = { journal: 0, outbox: 0, actors: 0 };
      for (const id of ids) {
        if (ended.get(id, before) !== undefined) {
          removed.journal += Number(wholeJournal.run(id).changes);
          removed.outbox += Number(wholeOutbox.run(id).changes);
          removed.actors += Number(wholeActor.run(id).changes);
          continue;
        }
        const row = newBase.get(id, before) as { readonly base: number } | undefined;
        if (row === undefined) continue;
        if (Number(setBase.run(row.base, id).changes) > 0) {
          removed.journal += Number(journalBelow.run(id, row.base).changes);
        }
        removed.outbox += Number(outboxBelow.run(id).changes);
      }
      return removed;
    },
    deadLetters: (before) => Number(letters.run(before).changes),
  };
}
