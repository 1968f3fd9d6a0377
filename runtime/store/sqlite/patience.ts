import { SidecanaryError } from "../../errors.ts";
import type { Clock } from "../../clock.ts";
import type { Driver } from "./driver.ts";

const BUSY = 5;
const LOCKED = 6;
const FIRST_WAIT_MS = 1;
const LONGEST_WAIT_MS = 25;

/** What {@link Patience} needs to know. */
export interface PatienceOptions {
  readonly store: string;
  readonly path: string;
  readonly clock: Clock;
  /** In [0, 1). */
  readonly random: () => number;
  readonly patienceMs: number;
}

/** How a store waits for a lock of another process: without holding up the event loop. */
export class Patience {
  readonly #options: PatienceOptions;
  readonly #driver: Driver;

  constructor(driver: Driver, options: PatienceOptions) {
    this.#driver = driver;
    this.#options = options;
  }

  now(): number {
    return this.#options.clock.now();
  }

  isBusy(error: unknown): boolean {
    const code = this.#driver.resultCode(error);
    return code === BUSY || code === LOCKED;
  }

  isOver(since: number): boolean {
    return this.now() - since >= this.#options.patienceMs;
  }

  /** Calls `again` after a jittered wait that doubles with every try, within bounds. */
  later(tries: number, again: () => void): void {
    const { clock, random } = this.#options;
    const longest = Math.min(LONGEST_WAIT_MS, FIRST_WAIT_MS * 2 ** Math.min(tries, 10));
    clock.setTimeout(again, longest * (0.5 + random() / 2));
  }

  /** Runs `work`, again where a lock was in its way. */
  async retry<T>(work: () => T): Promise<T> {
    const since = this.now();
    for (let tries = 0;; tries++) {
      try {
        return work();
      } catch (error) {
        if (!this.isBusy(error)) throw this.failure(error);
        if (this.isOver(since)) throw this.busy(since, error);
      }
      await new Promise<void>((resolve) => this.later(tries, resolve));
    }
  }

  busy(since: number, cause: unknown): SidecanaryError<"store-busy"> {
    const { store, path } = this.#options;
    const waitedMs = this.now() - since;
    const message = `Cannot use "${path}": another process has kept it locked for ${waitedMs} ms`;
    return new SidecanaryError("store-busy", message, { store, waitedMs }, cause);
  }

  /** What callers see of an error of SQLite; anything else as it is. */
  failure(error: unknown): unknown {
    if (this.#driver.resultCode(error) === undefined) return error;
    const { store, path } = this.#options;
    const reason = error instanceof Error ? error.message : String(error);
    const message = `Cannot use the database "${path}": ${reason}`;
    return new SidecanaryError("store-failed", message, { store }, error);
  }
}
