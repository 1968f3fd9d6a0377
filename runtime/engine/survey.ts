import type { ActorRow } from "../store/store.ts";
import { asError, type Host } from "./host.ts";
import type { Registry } from "./registry.ts";

const page = 200;

/**
 * Looks for actors that other definitions of a machine left. Those that can be migrated are claimed
 * from then on, the others are reported: nothing would come of their timers and effects here.
 */
export class Survey {
  readonly #host: Host;
  readonly #registry: Registry;
  readonly #onAdopted: () => void;
  readonly #reported = new Set<string>();
  #looking: Promise<void> = Promise.resolve();

  /** @param onAdopted there is more to claim */
  constructor(host: Host, registry: Registry, onAdopted: () => void) {
    this.#host = host;
    this.#registry = registry;
    this.#onAdopted = onAdopted;
  }

  /** Looks at the actors of this machine, after what is being looked at. */
  begin(machine: string): void {
    if (!this.#host.settings.works) return;
    this.#looking = this.#looking.then(() => this.#look(machine));
  }

  /** Looks at the actors of all machines: other processes may have started some since. */
  beginAll(): void {
    for (const name of this.#registry.names) this.begin(name);
  }

  drained(): Promise<void> {
    return this.#looking;
  }

  /** Reports an actor that is not run here, once. */
  report(actor: string, error: Error): void {
    if (this.#reported.has(actor)) return;
    this.#reported.add(actor);
    this.#host.problem({ kind: "quarantined", message: error.message, actor, error });
  }

  async #look(machine: string): Promise<void> {
    try {
      for (const status of ["active", "crashed"] as const) {
        let after: string | undefined;
        while (this.#host.isOpen()) {
          const query = { machine, status, limit: page, ...(after === undefined ? {} : { after }) };
          const rows = await this.#host.store.actors(query);
          for (const row of rows) this.#classify(row);
          after = rows[rows.length - 1]?.id;
          if (rows.length < page) break;
        }
      }
    } catch (error) {
      if (!this.#host.isOpen()) return;
      const message = `Cannot look for actors of machine "${machine}": ${asError(error).message}`;
      this.#host.problem({ kind: "store", message, error: asError(error) });
    }
  }

  #classify(row: ActorRow): void {
    if (this.#registry.runs(row)) {
      if (this.#registry.adopt(row)) this.#onAdopted();
      return;
    }
    try {
      this.#registry.resolve(row);
    } catch (error) {
      this.report(row.id, asError(error));
    }
  }
}
