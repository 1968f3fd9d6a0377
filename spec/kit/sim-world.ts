import type { Answer } from "../../runtime/engine/answer.ts";
import type { EventData } from "../../runtime/engine/actor-state.ts";
import type { Engine } from "../../runtime/engine/engine.ts";
import type { EngineOptions, FaultPoint } from "../../runtime/engine/options.ts";
import { VirtualClock } from "../../runtime/engine/virtual-clock.ts";
import { isSidecanaryError, SidecanaryError } from "../../runtime/errors.ts";
import type { Json } from "../../runtime/json.ts";
import { openMemoryStore } from "../../runtime/store/memory/memory-store.ts";
import type { Store } from "../../runtime/store/store.ts";
import { faultyStore, type Leg } from "./faulty-store.ts";
import type { Mutant } from "./mutants.ts";
import { SimProcess } from "./sim-process.ts";
import { Receiver } from "./sim-receiver.ts";
import { WatchedStore, type WatchOptions } from "./sim-watched-store.ts";

/** What lies between processes and everything else. */
export interface Wire {
  /** Carries one message of a process. Rejects with {@link lost} where it is lost. */
  carry(process: SimProcess, call: string, leg: Leg): Promise<void>;
}

/** What a {@link SimWorld} is made of. */
export interface WorldOptions {
  readonly wire: Wire;
  /** How many processes run from the beginning. */
  readonly processes: number;
  readonly boot: (engine: Engine, process: SimProcess, world: SimWorld) => void;
  readonly mutant?: Mutant | undefined;
  readonly watch?: WatchOptions;
  readonly engine?: Partial<EngineOptions>;
  readonly onPoint?: (process: SimProcess, point: FaultPoint) => void;
  /** By process. */
  readonly skewMs?: readonly number[];
  /** @default openMemoryStore() */
  readonly store?: Store;
}

/** An answer that a client was given. */
export interface Acknowledged {
  readonly actor: string;
  readonly eventId: string;
  readonly answer: Answer;
}

/** How long the simulated leases are, in ms. */
export const leaseMs = 1_000;

/** Several processes with an engine each, on one store behind wires that fail, and one clock. */
export class SimWorld {
  readonly clock = new VirtualClock(1_000_000);
  readonly store: Store;
  readonly watched: WatchedStore;
  readonly receiver = new Receiver();
  readonly processes: SimProcess[] = [];
  readonly acknowledged: Acknowledged[] = [];
  readonly #options: WorldOptions;
  readonly #reached: Store;
  #turn = 0;

  constructor(options: WorldOptions) {
    this.#options = options;
    this.store = options.store ?? openMemoryStore();
    const { mutant } = options;
    const inner = mutant?.inStore?.(this.store) ?? this.store;
    this.#reached = this.watched = new WatchedStore(inner, this.clock, options.watch ?? {});
  }

  async open(): Promise<void> {
    for (let index = 0; index < this.#options.processes; index++) await this.addProcess();
  }

  async addProcess(): Promise<SimProcess> {
    const { mutant, wire, boot, engine = {}, skewMs } = this.#options;
    const process = new SimProcess({
      name: `p${this.processes.length}`,
      clock: this.clock,
      skewMs: skewMs?.[this.processes.length] ?? 0,
      store: (self) => {
        const carry = (call: string, leg: Leg) => wire.carry(self, call, leg);
        const faulty = faultyStore(this.#reached, carry);
        return mutant?.inProcess?.(faulty) ?? faulty;
      },
      engine: {
        leaseMs,
        pollMs: 1_000,
        retentionMs: Infinity,
        maxEffectAttempts: 1_000,
        effectBackoff: () => 100,
        random: () => 0.5,
        ...engine,
      },
      onPoint: this.#options.onPoint,
      boot: (opened, self) => boot(opened, self, this),
    });
    this.processes.push(process);
    await process.open();
    return process;
  }

  /** An engine that runs, a different one each time. */
  pick(): Engine | undefined {
    const running = this.processes.flatMap(({ engine }) => engine ?? []);
    return running[this.#turn++ % running.length];
  }

  sleep(ms: number): Promise<void> {
    return new Promise((resolve) => this.clock.setTimeout(resolve, ms));
  }

  /** Delivers as a client does: again and again to whoever runs, until there is an answer. */
  async deliver(actor: string, event: EventData, eventId: string): Promise<void> {
    const { mutant } = this.#options;
    for (let attempt = 0;; attempt++) {
      const id = mutant?.mint?.(eventId, attempt) ?? eventId;
      const answer = await this.attempt((engine) => engine.deliver(actor, event, { eventId: id }));
      if (answer === undefined) continue;
      this.acknowledged.push({ actor, eventId: id, answer });
      return;
    }
  }

  /** One try with whoever runs; `undefined` where nobody knows what came of it. */
  async attempt<Result>(work: (engine: Engine) => Promise<Result>): Promise<Result | undefined> {
    const engine = this.pick();
    if (engine !== undefined) {
      try {
        return await work(engine);
      } catch (error) {
        if (!isUnknown(error)) throw error;
      }
    }
    await this.sleep(50);
    return undefined;
  }

  /** Asks the outside service, over the wire. */
  async ask(
    process: SimProcess,
    request: { readonly key: string; readonly actor: string; readonly payload: Json },
    epoch: number | null = null,
  ): Promise<void> {
    await this.#options.wire.carry(process, "ask", "request");
    this.receiver.receive({ ...request, epoch, at: this.clock.now() });
    await this.#options.wire.carry(process, "ask", "reply");
  }

  /** Moves the clock from timer to timer until `ms` have gone by. */
  async pass(ms: number): Promise<void> {
    await this.clock.advance(ms);
  }

  /** Stops everything at once. */
  end(): void {
    for (const process of this.processes) process.crash();
  }

  /** Everything that a rule of the protocol was broken by so far. */
  get violations(): readonly string[] {
    return [...this.watched.violations, ...this.receiver.violations];
  }
}

/** What the sender of a lost message sees: it cannot know what came of it. */
export function lost(call: string): SidecanaryError {
  return new SidecanaryError("store-failed", `Lost on the wire: ${call}`, { store: "memory" });
}

function isUnknown(error: unknown): boolean {
  return isSidecanaryError(error) &&
    (error.code.startsWith("store-") || error.code === "engine-closed" ||
      error.code === "actor-unknown");
}
