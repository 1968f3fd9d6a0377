interface Deferred {
  readonly resolve: (n: number) => void;
  readonly reject: (error: unknown) => void;
}

/**
 * The open answers of ports, by invoke id. All open calls of an id get the answer: xstate also calls
 * a port that was left again before it started, and drops what that call says.
 */
export class Deferreds {
  readonly #open = new Map<string, Deferred[]>();

  /** A call of a port. */
  open(invoke: string): Promise<number> {
    return new Promise((resolve, reject) => {
      const waiting = this.#open.get(invoke) ?? [];
      this.#open.set(invoke, [...waiting, { resolve, reject }]);
    });
  }

  /** Whether the port waits for its answer. */
  has(invoke: string): boolean {
    return this.#open.has(invoke);
  }

  /** Answers one of the live invokes. */
  answer(live: readonly string[], pick: number, ok: boolean): void {
    const id = live[pick % live.length];
    if (id === undefined) return;
    const waiting = this.#open.get(id) ?? [];
    this.#open.delete(id);
    for (const { resolve, reject } of waiting) {
      if (ok) resolve(7);
      else reject({ message: "refused" });
    }
  }
}
