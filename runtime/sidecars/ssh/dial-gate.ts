import type { Clock } from "../../clock.ts";

/**
 * Servers that are asked too often answer nobody: sshd drops what comes at once (`MaxStartups`), and
 * bans whoever fails to log in again and again (`PerSourcePenalties`, since OpenSSH 9.8).
 */
export const AUTHENTICATION_PAUSE_MS = 6000;

/** Lets one dial at a time go to a host, and holds the next one back after a failure to log in. */
export class DialGate {
  readonly #clock: Clock;
  readonly #tails = new Map<string, Promise<void>>();
  readonly #notBefore = new Map<string, number>();

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  /**
   * Runs `dial` when every earlier one of this host has ended, and its pause is over.
   *
   * @throws what `dial` throws; the signal's reason when aborted while waiting
   */
  async pass<Result>(
    host: string,
    signal: AbortSignal,
    dial: () => Promise<Result>,
  ): Promise<Result> {
    signal.throwIfAborted();
    const before = this.#tails.get(host) ?? Promise.resolve();
    let leave: () => void = () => {};
    const over = new Promise<void>((resolve) => leave = resolve);
    const tail = before.then(() => over);
    this.#tails.set(host, tail);
    try {
      await unlessAborted(signal, before);
      const wait = (this.#notBefore.get(host) ?? 0) - this.#clock.now();
      if (wait > 0) await this.#sleep(wait, signal);
      return await dial();
    } finally {
      leave();
      if (this.#tails.get(host) === tail) this.#tails.delete(host);
    }
  }

  /** Nobody dials this host for a while. */
  holdBack(host: string): void {
    this.#notBefore.set(host, this.#clock.now() + AUTHENTICATION_PAUSE_MS);
  }

  /** Whoever logged in may come again at once. */
  welcome(host: string): void {
    this.#notBefore.delete(host);
  }

  async #sleep(ms: number, signal: AbortSignal): Promise<void> {
    let timer: unknown;
    try {
      await unlessAborted(
        signal,
        new Promise<void>((resolve) => timer = this.#clock.setTimeout(resolve, ms)),
      );
    } finally {
      this.#clock.clearTimeout(timer);
    }
  }
}

async function unlessAborted(signal: AbortSignal, wait: Promise<void>): Promise<void> {
  let stop: () => void = () => {};
  try {
    await Promise.race([
      wait,
      new Promise<never>((_, reject) => {
        stop = () => reject(signal.reason as Error);
        signal.addEventListener("abort", stop, { once: true });
      }),
    ]);
    signal.throwIfAborted();
  } finally {
    signal.removeEventListener("abort", stop);
  }
}
