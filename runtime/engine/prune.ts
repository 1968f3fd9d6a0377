import type { PruneResult } from "../store/store.ts";
import { asError, type Host } from "./host.ts";

const hourMs = 3_600_000;

/** Forgets what is older than the retention, every hour. */
export class Pruner {
  readonly #host: Host;
  readonly #onPruned: () => void;
  readonly #onHour: () => void;
  #timer: unknown;

  constructor(host: Host, onPruned: () => void, onHour: () => void) {
    this.#host = host;
    this.#onPruned = onPruned;
    this.#onHour = onHour;
  }

  start(): void {
    if (this.#host.settings.retentionMs === Infinity) return;
    this.#timer = this.#host.clock.setTimeout(() => void this.#run(), hourMs);
  }

  stop(): void {
    if (this.#timer !== undefined) this.#host.clock.clearTimeout(this.#timer);
  }

  async prune(): Promise<PruneResult> {
    const { clock, settings, store } = this.#host;
    if (settings.retentionMs === Infinity) {
      return { journal: 0, outbox: 0, deadLetters: 0, actors: 0 };
    }
    const result = await store.prune(clock.now() - settings.retentionMs);
    this.#onPruned();
    return result;
  }

  async #run(): Promise<void> {
    try {
      await this.prune();
    } catch (error) {
      if (!this.#host.isOpen()) return;
      this.#host.problem({
        kind: "store",
        message: `Cannot prune: ${asError(error).message}; tried again in an hour`,
        error: asError(error),
      });
    }
    if (!this.#host.isOpen()) return;
    this.#onHour();
    this.start();
  }
}
