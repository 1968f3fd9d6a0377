import type { CommitWriter } from "./commit.ts";
import type { Driver } from "./driver.ts";
import type { Settlement } from "../store.ts";

/** Writes what became of effects, inside the transaction that the caller holds. */
export type Settle = (settlements: readonly Settlement[]) => string[];

/** Prepares the statements of {@link Settle}. */
export function prepareSettle(driver: Driver, writer: CommitWriter): Settle {
  const accepts = driver.prepare(`
    SELECT o.claimed AS claimed FROM outbox o JOIN actor a ON a.id = o.actor
    WHERE o.id = ? AND o.actor = ? AND o.state = 'open' AND a.epoch = ?`);
  const retry = driver.prepare(`
    UPDATE outbox SET attempts = attempts + 1, due = ?, claimed = NULL WHERE id = ?`);
  const ranOne = driver.prepare("UPDATE actor SET running = running - 1 WHERE id = ?");

  return (settlements) => {
    const refused: string[] = [];
    for (const { actor, id, epoch, outcome } of settlements) {
      const row = accepts.get(id, actor, epoch) as { readonly claimed: number | null } | undefined;
      if (row === undefined) {
        refused.push(id);
        continue;
      }
      if (outcome.kind === "retry") retry.run(outcome.due, id);
      else writer.close(actor, id, outcome.kind);
      if (row.claimed !== null) ranOne.run(actor);
      if (outcome.kind === "dead") writer.deadLetter(outcome.letter);
    }
    return refused;
  };
}
