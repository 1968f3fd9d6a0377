import process from "node:process";

const SIGNALS = ["SIGINT", "SIGTERM", "SIGHUP"] as const;

/** What happens when a person or the system wants this process to end. */
export interface InterruptOptions {
  /** Called at the first signal, after {@link Interrupts.signal} has been aborted. */
  readonly onFirst: (name: string) => void;
  /** Called at every further one. Does not return. */
  readonly onSecond: (name: string) => never;
}

/** The first signal cancels, the second one forces. */
export class Interrupts {
  readonly #controller = new AbortController();
  readonly #listener: (name: string) => void;
  #received: string | null = null;

  constructor({ onFirst, onSecond }: InterruptOptions) {
    this.#listener = (name) => {
      if (this.#received !== null) onSecond(name);
      this.#received = name;
      this.cancel(name);
      onFirst(name);
    };
    for (const name of SIGNALS) process.on(name, this.#listener);
  }

  /** Aborted by the first signal, with its name in the reason. */
  get signal(): AbortSignal {
    return this.#controller.signal;
  }

  /** The signal that came first, or `null`. */
  get received(): string | null {
    return this.#received;
  }

  /** Aborts without a signal. */
  cancel(why: string): void {
    this.#controller.abort(new Error(`cancelled by ${why}`));
  }

  /** Gives the signals back to the runtime. */
  dispose(): void {
    for (const name of SIGNALS) process.off(name, this.#listener);
  }
}
