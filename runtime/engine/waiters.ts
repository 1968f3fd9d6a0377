import { SidecanaryError } from "../errors.ts";
import type { ActorView } from "./actor-view.ts";
import type { WaitOptions } from "./engine.ts";
import type { Host } from "./host.ts";

interface Waiter {
  readonly look: (view: ActorView) => boolean;
  readonly fail: (error: unknown) => void;
}

/** Who waits for a state: told of local commits, and looking at the store for those of others. */
export class Waiters {
  readonly #host: Host;
  readonly #read: (actor: string) => Promise<ActorView | undefined>;
  readonly #waiting = new Map<string, Set<Waiter>>();
  #timer: unknown;

  constructor(host: Host, read: (actor: string) => Promise<ActorView | undefined>) {
    this.#host = host;
    this.#read = read;
  }

  wait(
    actor: string,
    predicate: (view: ActorView) => boolean,
    { signal, timeoutMs = Infinity }: WaitOptions,
  ): Promise<ActorView> {
    const { clock } = this.#host;
    return new Promise<ActorView>((resolve, reject) => {
      if (signal?.aborted) return reject(signal.reason as Error);
      const onAbort = () => waiter.fail(signal?.reason);
      const timer = timeoutMs === Infinity
        ? undefined
        : clock.setTimeout(() => waiter.fail(timedOut(actor, timeoutMs)), timeoutMs);
      const end = () => {
        signal?.removeEventListener("abort", onAbort);
        if (timer !== undefined) clock.clearTimeout(timer);
        this.#remove(actor, waiter);
      };
      const waiter: Waiter = {
        look: (view) => {
          try {
            if (!predicate(view)) return false;
          } catch (error) {
            waiter.fail(error);
            return true;
          }
          end();
          resolve(view);
          return true;
        },
        fail: (error) => {
          end();
          reject(error as Error);
        },
      };
      signal?.addEventListener("abort", onAbort);
      this.#add(actor, waiter);
      this.#read(actor).then((view) => void (view && waiter.look(view)), waiter.fail);
    });
  }

  /** Whether anyone waits for this actor. */
  has(actor: string): boolean {
    return this.#waiting.has(actor);
  }

  /** Shows the actor to who waits for it. */
  show(actor: string, view: ActorView): void {
    for (const waiter of [...this.#waiting.get(actor) ?? []]) waiter.look(view);
  }

  /** Rejects all. */
  failAll(error: unknown): void {
    for (const waiters of [...this.#waiting.values()]) {
      for (const waiter of [...waiters]) waiter.fail(error);
    }
  }

  #add(actor: string, waiter: Waiter): void {
    const waiters = this.#waiting.get(actor) ?? new Set();
    this.#waiting.set(actor, waiters.add(waiter));
    this.#arm();
  }

  #remove(actor: string, waiter: Waiter): void {
    const waiters = this.#waiting.get(actor);
    waiters?.delete(waiter);
    if (waiters?.size === 0) this.#waiting.delete(actor);
    if (this.#waiting.size === 0 && this.#timer !== undefined) {
      this.#host.clock.clearTimeout(this.#timer);
      this.#timer = undefined;
    }
  }

  #arm(): void {
    const { clock, settings } = this.#host;
    if (settings.pollMs === Infinity) return;
    this.#timer ??= clock.setTimeout(() => void this.#poll(), settings.pollMs);
  }

  async #poll(): Promise<void> {
    for (const actor of [...this.#waiting.keys()]) {
      try {
        const view = await this.#read(actor);
        if (view !== undefined) this.show(actor, view);
      } catch (error) {
        for (const waiter of [...this.#waiting.get(actor) ?? []]) waiter.fail(error);
      }
    }
    this.#timer = undefined;
    if (this.#waiting.size > 0 && this.#host.isOpen()) this.#arm();
  }
}

function timedOut(actor: string, timeoutMs: number): SidecanaryError {
  return new SidecanaryError(
    "wait-timeout",
    `Actor "${actor}" did not come to the awaited state within ${timeoutMs} ms`,
    { actor, timeoutMs },
  );
}
