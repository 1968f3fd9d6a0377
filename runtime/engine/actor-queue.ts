/** Runs work on one actor in turn, and work on different actors side by side. */
export class ActorQueue {
  readonly #tails = new Map<string, Promise<unknown>>();

  /** Runs `work` when everything queued before for any of the actors has ended. */
  run<Result>(actors: readonly string[], work: () => Promise<Result>): Promise<Result> {
    const before = actors.flatMap((actor) => this.#tails.get(actor) ?? []);
    const result = before.length === 0 ? work() : Promise.all(before).then(work);
    // The tail never rejects: a failed delivery must not fail the next one.
    const tail: Promise<unknown> = result.then(noop, noop).then(() => {
      for (const actor of actors) {
        if (this.#tails.get(actor) === tail) this.#tails.delete(actor);
      }
    });
    for (const actor of actors) this.#tails.set(actor, tail);
    return result;
  }

  /** Whether nothing is queued or running. */
  get isIdle(): boolean {
    return this.#tails.size === 0;
  }

  /** Resolves when everything that is queued now has ended. */
  async drained(): Promise<void> {
    await Promise.all(this.#tails.values());
  }
}

function noop(): void {}
