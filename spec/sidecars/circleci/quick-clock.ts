interface Held {
  readonly due: number;
  readonly callback: () => void;
}

/**
 * A clock for code that waits between real exchanges: a wait below the limit is over at the next turn
 * and noted, with the time moved on by it; time limits of at least `limitMs` are held until
 * {@link QuickClock.expire}.
 */
export class QuickClock {
  /** The waits that are over, in ms. */
  readonly waits: number[] = [];
  readonly #limitMs: number;
  readonly #held = new Map<number, Held>();
  #now = Date.UTC(2026, 0, 1);
  #lastId = 0;

  constructor(limitMs = 30_000) {
    this.#limitMs = limitMs;
  }

  now(): number {
    return this.#now;
  }

  setTimeout(callback: () => void, delayMs: number): number {
    const id = ++this.#lastId;
    const due = this.#now + delayMs;
    this.#held.set(id, { due, callback });
    if (delayMs < this.#limitMs) {
      setImmediate(() => {
        if (!this.#held.has(id)) return;
        this.waits.push(delayMs);
        this.#fire(id);
      });
    }
    return id;
  }

  clearTimeout(id: unknown): void {
    this.#held.delete(id as number);
  }

  /** Moves to the first time limit and fires it. */
  expire(): void {
    const [first] = [...this.#held].sort(([, a], [, b]) => a.due - b.due);
    if (first === undefined) throw new Error("no time limit is running");
    this.#fire(first[0]);
  }

  /** How many timers wait. */
  get waiting(): number {
    return this.#held.size;
  }

  #fire(id: number): void {
    const held = this.#held.get(id);
    if (held === undefined) return;
    this.#held.delete(id);
    this.#now = Math.max(this.#now, held.due);
    held.callback();
  }
}
