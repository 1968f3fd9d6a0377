import { Buffer } from "node:buffer";

/** What may come before the mark: a login script's words. */
const KEPT = 4_000;

/** Passes a stream on from behind the line that begins with a mark. */
export class MarkedOutput {
  readonly #mark: Buffer;
  readonly #take: (chunk: Uint8Array) => void;
  #pending = Buffer.alloc(0);
  #isBegun = false;

  constructor(mark: string, take: (chunk: Uint8Array) => void) {
    this.#mark = Buffer.from(`${mark}\n`);
    this.#take = take;
  }

  /** Whether the line has come. */
  get isBegun(): boolean {
    return this.#isBegun;
  }

  /** The end of what came before it, for messages. */
  get before(): string {
    return this.#isBegun ? "" : this.#pending.toString("utf8").trim();
  }

  push(chunk: Uint8Array): void {
    if (this.#isBegun) return this.#take(chunk);
    this.#pending = Buffer.concat([this.#pending, chunk]);
    const at = this.#pending.indexOf(this.#mark);
    if (at === -1) {
      this.#pending = this.#pending.subarray(-KEPT);
      return;
    }
    this.#isBegun = true;
    const rest = this.#pending.subarray(at + this.#mark.length);
    this.#pending = Buffer.alloc(0);
    if (rest.length > 0) this.#take(rest);
  }
}
