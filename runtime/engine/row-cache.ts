import type { ActorRow } from "../store/store.ts";
import type { KeptState } from "./actor-view.ts";

/** An actor's row with its state parsed; never changed in place. */
export interface CachedActor {
  readonly row: ActorRow;
  readonly state: KeptState;
}

/** The rows that were used last. They may be behind the store: compare-and-set tells. */
export class RowCache {
  readonly #limit: number;
  readonly #actors = new Map<string, CachedActor>();

  constructor(limit: number) {
    this.#limit = limit;
  }

  get(id: string): CachedActor | undefined {
    const found = this.#actors.get(id);
    if (found === undefined) return undefined;
    this.#actors.delete(id);
    this.#actors.set(id, found);
    return found;
  }

  /** Keeps the actor, unless a newer row of it is kept already. */
  put(row: ActorRow, state?: KeptState): CachedActor {
    const { id } = row;
    const kept = this.#actors.get(id);
    const isOlder = kept !== undefined &&
      (kept.row.revision > row.revision ||
        (kept.row.revision === row.revision && kept.row.epoch > row.epoch));
    const next = isOlder ? kept : { row, state: state ?? stateOf(row) };
    this.#actors.delete(id);
    this.#actors.set(id, next);
    if (this.#actors.size > this.#limit) {
      for (const oldest of this.#actors.keys()) {
        this.#actors.delete(oldest);
        break;
      }
    }
    return next;
  }

  delete(id: string): void {
    this.#actors.delete(id);
  }

  clear(): void {
    this.#actors.clear();
  }
}

/** The state that a row holds as text. */
export function stateOf(row: ActorRow): KeptState {
  return JSON.parse(row.state) as KeptState;
}
