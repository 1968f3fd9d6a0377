import { type Clock, systemClock } from "../../clock.ts";

/**
 * Hands out modification times that only move forward. Caches take a file for unchanged when the
 * second and the size are the same (Python's bytecode), or when it is older than what was built
 * from it (make), so a path never shows two contents within one second.
 */
export class MtimeLedger {
  readonly #clock: Clock;
  readonly #last = new Map<string, number>();
  #floor = 0;

  constructor(clock: Clock = systemClock) {
    this.#clock = clock;
  }

  /** No time handed out from now on is within the present second, or before it. */
  passNow(): void {
    this.#floor = Math.max(this.#floor, Math.floor(this.#clock.now() / 1000) + 1);
  }

  /**
   * The time for a new content of `path`, in whole seconds since the epoch: two seconds beyond
   * every earlier one and beyond `previous`, the time that the path shows now.
   */
  next(path: string, previous = 0): number {
    const now = Math.floor(this.#clock.now() / 1000);
    const last = Math.max(this.#last.get(path) ?? 0, Math.floor(previous));
    const time = Math.max(now, this.#floor, last + 2);
    this.#last.set(path, time);
    return time;
  }
}
