import type { Clock } from "../clock.ts";
import { nextTurn } from "../next-turn.ts";

interface Waiting {
  readonly id: number;
  readonly at: number;
  readonly callback: () => void;
}

/**
 * A clock that is moved by hand. Time goes to each timer in order, so a timer that is set by another
 * fires at its own time, and everything that was waiting on promises has gone on before time moves.
 * xstate's `SimulatedClock` jumps to the end first and then fires.
 *
 * @example
 * const clock = new VirtualClock();
 * const engine = await openEngine({ store: openMemoryStore(), clock });
 * await clock.advance(60_000);
 */
export class VirtualClock implements Clock {
  #now: number;
  #lastId = 0;
  readonly #timers = new Map<number, Waiting>();

  /** @param startMs where it stands, in ms since the epoch; default 0 */
  constructor(startMs = 0) {
    this.#now = startMs;
  }

  now(): number {
    return this.#now;
  }

  setTimeout(callback: () => void, delayMs: number): unknown {
    const id = ++this.#lastId;
    this.#timers.set(id, { id, at: this.#now + Math.max(0, delayMs), callback });
    return id;
  }

  clearTimeout(handle: unknown): void {
    this.#timers.delete(handle as number);
  }

  /** When the next timer fires, in ms since the epoch, or `undefined`. */
  next(): number | undefined {
    return this.#earliest()?.at;
  }

  /** Moves to the next timer and fires it. Answers whether there was one. */
  async runNext(): Promise<boolean> {
    await nextTurn();
    const timer = this.#earliest();
    if (timer === undefined) return false;
    this.#timers.delete(timer.id);
    this.#now = Math.max(this.#now, timer.at);
    timer.callback();
    await nextTurn();
    return true;
  }

  /** Moves `ms` on, firing on the way what is due. */
  async advance(ms: number): Promise<void> {
    const target = this.#now + ms;
    await nextTurn();
    for (;;) {
      const next = this.next();
      if (next === undefined || next > target) break;
      await this.runNext();
    }
    this.#now = target;
  }

  #earliest(): Waiting | undefined {
    let earliest: Waiting | undefined;
    for (const timer of this.#timers.values()) {
      if (earliest === undefined || timer.at < earliest.at) earliest = timer;
    }
    return earliest;
  }
}
