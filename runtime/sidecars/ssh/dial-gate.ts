import type { Clock } from "../../clock.ts";
import { pause } from "../../pause.ts";
import { AUTHENTICATION_PAUSE_MS } from "../../ssh/classify-ssh.ts";
import { unlessAborted } from "../../unless-aborted.ts";

/**
 * Lets one dial at a time go to a host, and holds the next one back after a failure to log in. Servers
 * that are asked too often answer nobody: sshd drops what comes at once (`MaxStartups`).
 */
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
      await unlessAborted(before, signal);
      const wait = (this.#notBefore.get(host) ?? 0) - this.#clock.now();
      if (wait > 0) await pause(this.#clock, wait, signal);
      return await dial();
    } finally {
      leave();
      // Whoever gave up while it waited is over before the dials in front of it.
      void tail.then(() => {
        if (this.#tails.get(host) === tail) this.#tails.delete(host);
      });
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
}
