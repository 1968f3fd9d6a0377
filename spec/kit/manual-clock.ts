interface Timer {
  readonly id: number;
  readonly due: number;
  readonly callback: () => void;
}

/**
 * A clock that only a test moves, for a bare xstate actor. Each timer sees the time it was due at,
 * so one that is set by another fires within the same `advance`; xstate's `SimulatedClock` jumps to
 * the end first and leaves it out.
 */
export class ManualClock {
  #now = 0;
  #lastId = 0;
  #timers: Timer[] = [];

  /** Milliseconds since the clock was made. */
  now(): number {
    return this.#now;
  }

  setTimeout(callback: () => void, delayMs: number): number {
    const id = ++this.#lastId;
    this.#timers.push({ id, due: this.#now + delayMs, callback });
    this.#timers.sort((a, b) => a.due - b.due || a.id - b.id);
    return id;
  }

  clearTimeout(id: number): void {
    this.#timers = this.#timers.filter((timer) => timer.id !== id);
  }

  /** Fires what is due within `ms`, in order. */
  advance(ms: number): void {
    const end = this.#now + ms;
    while ((this.#timers[0]?.due ?? Infinity) <= end) this.next();
    this.#now = end;
  }

  /** Moves to the next timer and fires it. Answers `false` where there is none. */
  next(): boolean {
    const timer = this.#timers.shift();
    if (timer === undefined) return false;
    this.#now = timer.due;
    timer.callback();
    return true;
  }

  /** How many timers wait. */
  get waiting(): number {
    return this.#timers.length;
  }
}
