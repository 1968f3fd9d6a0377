import type { ActorRow } from "../store/store.ts";
import { asError, type Host } from "./host.ts";

/** The leases that this process holds, prolonged while something runs under them. */
export class Leases {
  readonly #host: Host;
  readonly #busy: () => readonly string[];
  readonly #onLost: (actor: string) => void;
  readonly #onRenewed: () => Promise<void>;
  /** When each ends. Those that ended with nothing running are forgotten. */
  readonly #held = new Map<string, number>();
  #timer: unknown;

  /**
   * @param busy the actors with effects that run here
   * @param onLost called with an actor that another process took over
   * @param onRenewed called after each round
   */
  constructor(
    host: Host,
    busy: () => readonly string[],
    onLost: (actor: string) => void,
    onRenewed: () => Promise<void>,
  ) {
    this.#host = host;
    this.#busy = busy;
    this.#onLost = onLost;
    this.#onRenewed = onRenewed;
  }

  /** Notes who holds the actor after a commit or a claim. */
  note(row: ActorRow): void {
    if (row.owner !== this.#host.owner) {
      if (this.#held.delete(row.id)) this.#onLost(row.id);
      return;
    }
    this.#held.set(row.id, row.leaseUntil);
    this.#timer ??= this.#host.clock.setTimeout(
      () => void this.#renew(),
      this.#host.settings.leaseMs / 3,
    );
  }

  /** Gives all leases back. */
  async release(): Promise<void> {
    this.stop();
    const actors = [...this.#held.keys()];
    this.#held.clear();
    if (actors.length > 0) await this.#host.store.release(this.#host.owner, actors);
  }

  /** Renews nothing any more. */
  stop(): void {
    if (this.#timer !== undefined) this.#host.clock.clearTimeout(this.#timer);
    this.#timer = undefined;
  }

  async #renew(): Promise<void> {
    const { clock, owner, settings, store } = this.#host;
    if (!this.#host.isOpen()) return;
    const now = clock.now();
    const busy = new Set(this.#busy());
    for (const [actor, until] of this.#held) {
      if (until <= now && !busy.has(actor)) this.#held.delete(actor);
    }
    try {
      if (busy.size > 0) {
        await this.#host.fault("renew.before");
        const until = now + settings.leaseMs;
        const lost = new Set(await store.renew(owner, [...busy], until));
        for (const actor of busy) {
          if (!lost.has(actor)) this.#held.set(actor, until);
          else {
            this.#held.delete(actor);
            this.#onLost(actor);
          }
        }
        await this.#onRenewed();
      }
    } catch (error) {
      if (!this.#host.isOpen()) return;
      this.#host.problem({
        kind: "store",
        message: `Cannot renew ${busy.size} leases; tried again in ${settings.leaseMs / 3} ms`,
        error: asError(error),
      });
    }
    this.#timer = undefined;
    if (this.#held.size > 0 && this.#host.isOpen()) {
      this.#timer = clock.setTimeout(() => void this.#renew(), settings.leaseMs / 3);
    }
  }
}
