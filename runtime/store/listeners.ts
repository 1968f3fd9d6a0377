/** The listeners of {@link ./store.ts Store.watch}. */
export class Listeners {
  readonly #listeners = new Set<() => void>();

  /** Answers how to remove it; one function added twice is two listeners. */
  add(listener: () => void): () => void {
    const wrapped = () => listener();
    this.#listeners.add(wrapped);
    return () => void this.#listeners.delete(wrapped);
  }

  /** Calls each in a microtask of its own, unless it is removed before. */
  notify(): void {
    for (const listener of this.#listeners) {
      queueMicrotask(() => {
        if (this.#listeners.has(listener)) listener();
      });
    }
  }

  clear(): void {
    this.#listeners.clear();
  }
}
