import type { Clock } from "../clock.ts";

/** Lets through `perMinute` at once and as many within each minute after. */
export class TokenBucket {
  readonly #clock: Clock;
  readonly #perMinute: number;
  #left: number;
  #at: number;

  constructor(clock: Clock, perMinute: number) {
    this.#clock = clock;
    this.#perMinute = perMinute;
    this.#left = perMinute;
    this.#at = clock.now();
  }

  /** Takes one; else says in how many ms there is one. */
  take(): { readonly ok: true } | { readonly ok: false; readonly waitMs: number } {
    const now = this.#clock.now();
    const perMs = this.#perMinute / 60_000;
    this.#left = Math.min(this.#perMinute, this.#left + (now - this.#at) * perMs);
    this.#at = now;
    if (this.#left < 1) return { ok: false, waitMs: (1 - this.#left) / perMs };
    this.#left--;
    return { ok: true };
  }
}
