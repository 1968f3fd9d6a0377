/** A verdict that a worker came to. */
export interface WorkerVerdict<Key> {
  readonly key: Key;
  readonly status: "killed" | "survived" | "timeout" | "error";
  /** The same for failures that look the same. */
  readonly signature: string;
}

/** After how many failures in a row that look the same the baseline is run again. */
export const FIRST_STREAK = 3;
/** What the length is multiplied by when the baseline was green after all. */
const GROWTH = 4;

/**
 * What is known of the environment that one worker gives its commands. A survivor passed everything,
 * which the baseline could not do better; so only what came after the last survivor, or after the
 * last green baseline, is in doubt.
 */
export class WorkerHealth<Key> {
  #doubtful: Key[] = [];
  #signature: string | undefined;
  #length = 0;
  readonly #limits = new Map<string, number>();

  /** Takes a verdict in, in the order in which the worker came to them. */
  note({ key, status, signature }: WorkerVerdict<Key>): void {
    if (status === "survived") return this.green();
    this.#doubtful.push(key);
    this.#length = signature === this.#signature ? this.#length + 1 : 1;
    this.#signature = signature;
  }

  /** Whether so many failures look the same that the baseline is to be run again. */
  get isSuspicious(): boolean {
    const signature = this.#signature;
    return signature !== undefined &&
      this.#length >= (this.#limits.get(signature) ?? FIRST_STREAK);
  }

  /** The verdicts since the last time that the environment was known to be good. */
  get doubtful(): readonly Key[] {
    return this.#doubtful;
  }

  /** The baseline passed. */
  green(): void {
    const signature = this.#signature;
    if (signature !== undefined && this.isSuspicious) {
      this.#limits.set(signature, this.#length * GROWTH);
    }
    this.#doubtful = [];
    this.#signature = undefined;
    this.#length = 0;
  }

  /** The baseline failed: answers the verdicts to take back. */
  red(): readonly Key[] {
    const doubtful = this.#doubtful;
    this.#doubtful = [];
    this.#signature = undefined;
    this.#length = 0;
    return doubtful;
  }
}
