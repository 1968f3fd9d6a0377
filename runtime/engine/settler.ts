import type { Settlement } from "../store/store.ts";
import { asError, type Host } from "./host.ts";

/** Writes what became of effects, many at once: whatever comes while a write is under way waits for the next. */
export class Settler {
  readonly #host: Host;
  #waiting: { readonly settlement: Settlement; readonly written: () => void }[] = [];
  #writing: Promise<void> | undefined;

  constructor(host: Host) {
    this.#host = host;
  }

  /** Resolves when it is written, refused, or the engine is over. */
  add(settlement: Settlement): Promise<void> {
    return new Promise((written) => {
      this.#waiting.push({ settlement, written });
      this.#writing ??= Promise.resolve().then(() => this.#write());
    });
  }

  get isIdle(): boolean {
    return this.#writing === undefined;
  }

  /** Resolves when everything that was added is written. */
  async drained(): Promise<void> {
    while (this.#writing !== undefined) await this.#writing;
  }

  async #write(): Promise<void> {
    const { clock, store, random } = this.#host;
    for (let failures = 0; this.#waiting.length > 0 && !this.#host.isOver();) {
      const batch = this.#waiting.slice(0, 500);
      try {
        await this.#host.fault("settle.before");
        await store.settle(batch.map((each) => each.settlement), clock.now());
        await this.#host.fault("settle.after");
        failures = 0;
      } catch (error) {
        if (this.#host.isOver()) break;
        this.#host.problem({
          kind: "store",
          message: `Cannot write what became of ${batch.length} effects; they are written again`,
          error: asError(error),
        });
        // Once the engine is closing, an effect that could not be settled runs again elsewhere.
        if (!this.#host.isOpen()) break;
        await this.#host.sleep(Math.min(5_000, 50 * 2 ** failures++) * (0.5 + random() / 2));
        continue;
      }
      this.#waiting = this.#waiting.slice(batch.length);
      for (const { written } of batch) written();
    }
    for (const { written } of this.#waiting) written();
    this.#waiting = [];
    this.#writing = undefined;
  }
}
