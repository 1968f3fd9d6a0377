import { SidecanaryError } from "../errors.ts";
import type { ActorRow, CommitResult, RecordWrite } from "../store/store.ts";
import { ActorQueue } from "./actor-queue.ts";
import type { Earlier, TransactAnswer } from "./answer.ts";
import type { ErrorData } from "./actor-state.ts";
import type { Committed } from "./engine.ts";
import type { Host } from "./host.ts";
import type { Job } from "./job.ts";
import { plan } from "./plan.ts";
import type { Plan } from "./plan-rows.ts";
import type { Registered, Registry } from "./registry.ts";
import { type CachedActor, RowCache } from "./row-cache.ts";
import type { DeadLetterReason } from "./step-result.ts";

/** What jobs came to. */
export type Delivered =
  | TransactAnswer
  /** The epoch of `fence` is over: another owner runs the effect, or it was restarted. */
  | { readonly outcome: "fenced"; readonly actor: string };

/** How the engine's parts learn of a committed transition. */
export interface CommitListener {
  (committed: Committed, plan: TransitionPlan): void;
}

type TransitionPlan = Extract<Plan, { kind: "transition" }>;

const retriesAtOnce = 3;
const maxConflicts = 60;

/** Takes jobs through step and commit: in turn for one actor, side by side for many. */
export class Deliverer {
  readonly cache: RowCache;
  readonly queue: ActorQueue = new ActorQueue();
  readonly #host: Host;
  readonly #registry: Registry;
  readonly #onCommit: CommitListener;

  constructor(host: Host, registry: Registry, onCommit: CommitListener) {
    this.#host = host;
    this.#registry = registry;
    this.#onCommit = onCommit;
    this.cache = new RowCache(host.settings.cacheSize);
  }

  /** One job. What cannot be applied is kept as a dead letter. */
  deliver(job: Job): Promise<Delivered> {
    return this.queue.run([job.actor], () => this.#attempt([job], [], true));
  }

  /** All or nothing. */
  transact(jobs: readonly Job[], records: readonly RecordWrite[]): Promise<Delivered> {
    const actors = jobs.map((job) => job.actor);
    return this.queue.run(actors, () => this.#attempt(jobs, records, false));
  }

  async #attempt(
    jobs: readonly Job[],
    records: readonly RecordWrite[],
    keepsLetters: boolean,
  ): Promise<Delivered> {
    const host = this.#host;
    const began = host.clock.now();
    for (let attempt = 0; attempt < maxConflicts; attempt++) {
      if (attempt > retriesAtOnce) {
        await host.sleep(host.random() * Math.min(200, 2 ** (attempt - retriesAtOnce)));
      }
      host.assertAlive();
      const result = await this.#once(jobs, records, keepsLetters);
      if (result !== undefined) return result;
    }
    const waitedMs = host.clock.now() - began;
    const { name } = host.store;
    throw new SidecanaryError(
      "store-busy",
      `Cannot deliver to "${jobs[0]?.actor}": other processes changed it ${maxConflicts} times ` +
        `meanwhile; send the same event id again`,
      { store: name, waitedMs },
    );
  }

  /** Answers `undefined` where the actors moved on meanwhile. */
  async #once(
    jobs: readonly Job[],
    records: readonly RecordWrite[],
    keepsLetters: boolean,
  ): Promise<Delivered | undefined> {
    const plans: TransitionPlan[] = [];
    for (const job of jobs) {
      let planned = await this.#plan(job, false);
      // A dead letter is no compare-and-set: it is only decided on what the store says now.
      if (planned.kind === "dead-letter") planned = await this.#plan(job, true);
      if (planned.kind === "duplicate") return { outcome: "duplicate", ...planned.known };
      const { letter } = planned;
      if (planned.kind === "transition" && (letter === null || keepsLetters)) {
        plans.push(planned);
        continue;
      }
      if (letter === null) throw new RangeError("a dead letter without a letter");
      // The rows are gone with the timer: nothing is left that could be lost.
      if (job.what.kind === "timer") return refusedBy(letter);
      const earlier = await this.#earlier(job);
      if (earlier !== undefined) {
        return { outcome: "duplicate", actor: job.actor, eventId: job.eventId, earlier };
      }
      if (keepsLetters) {
        await this.#commit({ plans: [], letters: [letter], records: [] });
        // The store keeps no letter for an event that another process applied since it was asked.
        const known = await this.#earlier(job);
        if (known?.kind === "applied") {
          return { outcome: "duplicate", actor: job.actor, eventId: job.eventId, earlier: known };
        }
      }
      return refusedBy(letter);
    }
    const letters = plans.flatMap((each) => each.letter ?? []);
    letters.push(...await this.#undeliverable(plans));
    const result = await this.#commit({ plans, letters, records });
    switch (result.outcome) {
      case "committed":
        result.actors.forEach((row, index) => this.#committed(row, plans[index] as TransitionPlan));
        return answerOf(plans);
      case "conflict":
        if (result.current === null) this.cache.delete(result.actor);
        else this.#replace(result.current);
        return undefined;
      case "fenced":
        this.cache.delete(result.actor);
        return result;
      case "duplicate":
        if (jobs.some((job) => job.actor === result.actor)) return result;
        // It is the dead letter of a tell, so another process wrote these revisions already.
        for (const { transition } of plans) this.cache.delete(transition.actor.id);
        return undefined;
      case "record-conflict":
        return result;
    }
  }

  async #plan(
    job: Job,
    fresh: boolean,
  ): Promise<Plan | { readonly kind: "duplicate"; readonly known: Known }> {
    const { store, clock } = this.#host;
    const before = await this.#read(job.actor, fresh);
    if (job.what.kind === "start") {
      const registered = this.#registry.newest(job.what.machine);
      if (before !== undefined) {
        const earlier: Earlier = { kind: "applied", revision: 1 };
        return { kind: "duplicate", known: { actor: job.actor, eventId: job.eventId, earlier } };
      }
      await this.#registry.keep(store, registered.logic, clock.now());
      return plan(job, undefined, registered, clock.now());
    }
    if (before === undefined) throw unknownActor(job.actor);
    const registered = this.#registry.resolve(before.row);
    await this.#registry.keep(store, registered.logic, clock.now());
    try {
      return plan(job, before, registered, clock.now());
    } catch (error) {
      throw migrationError(error, before.row, registered);
    }
  }

  async #read(actor: string, fresh: boolean): Promise<CachedActor | undefined> {
    const cached = fresh ? undefined : this.cache.get(actor);
    if (cached !== undefined) return cached;
    const row = await this.#host.store.read(actor);
    this.#host.assertAlive();
    return row === undefined ? undefined : this.#replace(row);
  }

  #replace(row: ActorRow): CachedActor {
    this.cache.delete(row.id);
    return this.cache.put(row);
  }

  async #commit(
    { plans, letters, records }: {
      readonly plans: readonly TransitionPlan[];
      readonly letters: readonly { readonly actor: string }[];
      readonly records: readonly RecordWrite[];
    },
  ): Promise<CommitResult> {
    const host = this.#host;
    await host.fault("commit.before");
    const now = host.clock.now();
    try {
      const result = await host.store.commit({
        transitions: plans.map((each) => each.transition),
        deadLetters: letters as Parameters<typeof host.store.commit>[0]["deadLetters"],
        records,
        lease: host.isOpen() && host.settings.works
          ? { owner: host.owner, until: now + host.settings.leaseMs }
          : null,
        now,
      });
      host.assertAlive();
      await host.fault("commit.after");
      return result;
    } catch (error) {
      // Whether it was written is not known: the store is asked next time.
      for (const { transition } of plans) this.cache.delete(transition.actor.id);
      throw error;
    }
  }

  #committed(row: ActorRow, planned: TransitionPlan): void {
    this.cache.put(row, planned.state);
    this.#onCommit({ actor: row, journal: planned.transition.journal }, planned);
  }

  /** Tells whose receiver does not exist become dead letters of the same commit. */
  async #undeliverable(plans: TransitionPlan[]) {
    const born = new Set(plans.map((each) => each.transition.actor.id));
    const letters = [];
    for (const [index, each] of plans.entries()) {
      const lost = new Set<string>();
      for (const { actor } of each.transition.tells) {
        if (born.has(actor) || lost.has(actor) || this.cache.get(actor) !== undefined) continue;
        if (await this.#host.store.read(actor) === undefined) lost.add(actor);
      }
      if (lost.size === 0) continue;
      const { tells, journal: { at } } = each.transition;
      for (const { actor, eventId, event } of tells.filter((tell) => lost.has(tell.actor))) {
        letters.push({ actor, eventId, event, reason: "no-such-actor", error: null, at });
      }
      plans[index] = {
        ...each,
        transition: { ...each.transition, tells: tells.filter((tell) => !lost.has(tell.actor)) },
      };
    }
    return letters;
  }

  /** What the event id came to before. Only asked where nothing can be applied any more. */
  async #earlier({ actor, eventId }: Job): Promise<Earlier | undefined> {
    const { store } = this.#host;
    for (let from = 0;;) {
      const rows = await store.journal(actor, from, 500);
      const found = rows.find((row) => row.eventId === eventId);
      if (found !== undefined) return { kind: "applied", revision: found.revision };
      const last = rows[rows.length - 1];
      if (last === undefined || rows.length < 500) break;
      from = last.revision + 1;
    }
    const letters = await store.deadLetters(actor, Number.MAX_SAFE_INTEGER);
    const letter = letters.find((row) => row.eventId === eventId);
    return letter && { kind: "dead-letter", reason: letter.reason };
  }
}

interface Known {
  readonly actor: string;
  readonly eventId: string;
  readonly earlier: Earlier;
}

function answerOf(plans: readonly TransitionPlan[]): Delivered {
  const refused = plans.find((each) => each.letter !== null);
  if (refused?.letter) return refusedBy(refused.letter);
  return { outcome: "applied", revisions: plans.map((each) => each.transition.actor.revision) };
}

function refusedBy(
  { actor, eventId, reason, error }: Extract<Plan, { kind: "dead-letter" }>["letter"],
): Delivered {
  return {
    outcome: "dead-letter",
    actor,
    eventId,
    reason: reason as DeadLetterReason,
    error: error === null ? null : JSON.parse(error) as ErrorData,
  };
}

function unknownActor(actor: string): SidecanaryError {
  return new SidecanaryError(
    "actor-unknown",
    `Cannot deliver to actor "${actor}": there is none; start it first`,
    { actor },
  );
}

function migrationError(error: unknown, row: ActorRow, { logic }: Registered): unknown {
  if (row.hash === logic.hash) return error;
  return new SidecanaryError(
    "machine-changed",
    `Cannot run actor "${row.id}": migrating it from definition ${row.hash} of machine ` +
      `"${row.machine}" failed: ${error instanceof Error ? error.message : String(error)}`,
    { actor: row.id, machine: row.machine, stored: row.hash, registered: logic.hash },
    error,
  );
}
