import type { AnyStateMachine } from "xstate";
import { SidecanaryError } from "../errors.ts";
import type { ActorRow, Store } from "../store/store.ts";
import type { RegisterOptions } from "./engine.ts";
import { defineLogic, type Logic } from "./logic.ts";

/** A machine of this process, and how it takes over from other definitions. */
export interface Registered {
  readonly logic: Logic;
  readonly migrate: RegisterOptions["migrate"];
}

/** The machines that this process can run. */
export class Registry {
  readonly #exact = new Map<string, Registered>();
  readonly #newest = new Map<string, Registered>();
  /** Hashes of definitions that are not here, whose actors a migration takes over. */
  readonly #foreign = new Set<string>();
  readonly #kept = new Map<string, Promise<void>>();
  #hashes: readonly string[] | undefined;

  /** The definition of this very machine, where it was registered without options. */
  known(machine: AnyStateMachine, options: RegisterOptions): Logic | undefined {
    const newest = this.#newest.get(machine.id);
    return newest?.logic.machine === machine && Object.keys(options).length === 0
      ? newest.logic
      : undefined;
  }

  register(machine: AnyStateMachine, options: RegisterOptions): Logic {
    const logic = defineLogic(machine, options);
    const registered = { logic, migrate: options.migrate };
    this.#exact.set(key(logic.name, logic.hash), registered);
    this.#newest.set(logic.name, registered);
    this.#hashes = undefined;
    return logic;
  }

  /** The definition that new actors of this name take. */
  newest(name: string): Registered {
    const registered = this.#newest.get(name);
    if (registered === undefined) throw unknown(name);
    return registered;
  }

  /**
   * The definition that an actor goes on with: its own, or the newest one that can migrate it.
   * @throws SidecanaryError `machine-unknown`, `machine-changed`
   */
  resolve(row: ActorRow): Registered {
    const exact = this.#exact.get(key(row.machine, row.hash));
    if (exact !== undefined) return exact;
    const newest = this.newest(row.machine);
    if (newest.migrate === undefined) throw changed(row, newest.logic);
    return newest;
  }

  /** Whether this process can run the actor. */
  runs(row: ActorRow): boolean {
    return this.#exact.has(key(row.machine, row.hash)) ||
      this.#newest.get(row.machine)?.migrate !== undefined;
  }

  /** Actors with this hash are claimed from now on. Answers whether they were not before. */
  adopt(row: ActorRow): boolean {
    const { machine, hash } = row;
    if (this.#exact.has(key(machine, hash)) || this.#foreign.has(hash)) return false;
    this.#foreign.add(hash);
    this.#hashes = undefined;
    return true;
  }

  /** The hashes of all actors that this process can run, as far as known. */
  get hashes(): readonly string[] {
    return this.#hashes ??= [
      ...new Set([
        ...[...this.#exact.values()].map((each) => each.logic.hash),
        ...this.#foreign,
      ]),
    ];
  }

  get names(): readonly string[] {
    return [...this.#newest.keys()];
  }

  /** Resolves when the store keeps the definition. */
  keep(store: Store, logic: Logic, at: number): Promise<void> | undefined {
    const known = this.#kept.get(logic.hash);
    if (known !== undefined) return known === done ? undefined : known;
    const { hash, name, definition } = logic;
    const written = store.putMachine({ hash, name, definition, at }).then(
      () => void this.#kept.set(hash, done),
      (error) => {
        this.#kept.delete(hash);
        throw error;
      },
    );
    this.#kept.set(hash, written);
    return written;
  }
}

const done = Promise.resolve();

function key(name: string, hash: string): string {
  return `${hash} ${name}`;
}

function unknown(machine: string): SidecanaryError {
  return new SidecanaryError(
    "machine-unknown",
    `Cannot run machine "${machine}": it is not registered here; call engine.register() with it`,
    { machine },
  );
}

function changed(row: ActorRow, registered: Logic): SidecanaryError {
  return new SidecanaryError(
    "machine-changed",
    `Cannot run actor "${row.id}": it was stored by definition ${row.hash} of machine ` +
      `"${row.machine}", and ${registered.hash} is registered; register the old definition too, ` +
      `or give a \`migrate\``,
    { actor: row.id, machine: row.machine, stored: row.hash, registered: registered.hash },
  );
}
