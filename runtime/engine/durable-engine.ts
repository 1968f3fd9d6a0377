import type { AnyStateMachine } from "xstate";
import { isSidecanaryError, type SidecanaryError } from "../errors.ts";
import type { ActorRow, PruneResult, RecordWrite, Store } from "../store/store.ts";
import type { EventData } from "./actor-state.ts";
import { type ActorView, type KeptState, viewOf } from "./actor-view.ts";
import { Announcements } from "./announcements.ts";
import type { Answer, Delivery, TransactAnswer } from "./answer.ts";
import { type CommitListener, type Delivered, Deliverer } from "./deliver.ts";
import { Effects } from "./effects.ts";
import type {
  Announcement,
  AnnouncementFilter,
  Committed,
  DeliverOptions,
  Engine,
  RegisterOptions,
  StartOptions,
  WaitOptions,
} from "./engine.ts";
import { asError, Host } from "./host.ts";
import { eventJob, startJob } from "./jobs.ts";
import { Leases } from "./leases.ts";
import type { Logic } from "./logic.ts";
import type { EngineOptions, Problem } from "./options.ts";
import type { Job } from "./job.ts";
import { Pruner } from "./prune.ts";
import { Registry } from "./registry.ts";
import { stateOf } from "./row-cache.ts";
import { Survey } from "./survey.ts";
import { tagsOf } from "./tags-of.ts";
import { Waiters } from "./waiters.ts";
import { WorkLoop } from "./work-loop.ts";

/** The engine: wires its parts, and checks what comes from outside. */
export class DurableEngine implements Engine {
  readonly owner: string;
  readonly store: Store;
  readonly #host: Host;
  readonly #registry = new Registry();
  readonly #announcements = new Announcements();
  readonly #deliverer: Deliverer;
  readonly #effects: Effects;
  readonly #leases: Leases;
  readonly #loop: WorkLoop;
  readonly #waiters: Waiters;
  readonly #pruner: Pruner;
  readonly #survey: Survey;
  readonly #listeners = new Set<(committed: Committed) => void>();
  #controls = 0;

  constructor(options: EngineOptions) {
    const host = this.#host = new Host(options);
    this.owner = host.owner;
    this.store = host.store;
    this.#deliverer = new Deliverer(host, this.#registry, this.#committed);
    this.#effects = new Effects(host, this.#registry, this.#announcements, {
      result: (job) => this.#deliverResult(job),
      isLive: (row, invoke, effect) => this.#isLive(row, invoke, effect),
      dueAt: (due) => this.#loop.dueAt(due),
    });
    this.#leases = new Leases(
      host,
      () => this.#effects.busyActors,
      (actor) => this.#effects.drop(actor),
      () => this.#reconcileAll(),
    );
    this.#loop = new WorkLoop(host, this.#registry, {
      deliver: (job) => this.#deliverDue(job),
      running: () => this.#effects.busyActors,
      claimed: ({ actor, outbox }) => {
        const { row, state } = this.#deliverer.cache.put(actor);
        this.#leases.note(actor);
        this.#effects.reconcile(row, state);
        this.#effects.dispatch(actor, outbox);
      },
    });
    this.#survey = new Survey(host, this.#registry, () => this.#loop.kick());
    this.#waiters = new Waiters(host, (actor) => this.actor(actor));
    this.#pruner = new Pruner(
      host,
      () => this.#deliverer.cache.clear(),
      () => this.#survey.beginAll(),
    );
  }

  open(): this {
    this.#loop.start();
    this.#pruner.start();
    return this;
  }

  register(machine: AnyStateMachine, options: RegisterOptions = {}): Logic {
    this.#host.assertOpen();
    const known = this.#registry.known(machine, options);
    if (known !== undefined) return known;
    const logic = this.#registry.register(machine, options);
    this.#survey.begin(logic.name);
    this.#loop.kick();
    return logic;
  }

  async start(actor: string, machine: string, options: StartOptions = {}): Promise<Answer> {
    this.#host.assertOpen();
    return answerOf(await this.#deliverer.deliver(startJob({ actor, machine, ...options })));
  }

  async deliver(actor: string, event: EventData, options: DeliverOptions): Promise<Answer> {
    this.#host.assertOpen();
    const { eventId, cause = null } = options;
    return answerOf(await this.#deliverer.deliver(eventJob(actor, event, eventId, cause)));
  }

  async transact(
    deliveries: readonly Delivery[],
    records: readonly RecordWrite[] = [],
  ): Promise<TransactAnswer> {
    this.#host.assertOpen();
    const jobs = deliveries.map((each) =>
      "machine" in each
        ? startJob(each)
        : eventJob(each.actor, each.event, each.eventId, each.cause ?? null)
    );
    const actors = new Set(jobs.map((job) => job.actor));
    if (actors.size !== jobs.length) {
      throw new RangeError(`Cannot transact: an actor is named twice in ${[...actors].join(", ")}`);
    }
    const delivered = await this.#deliverer.transact(jobs, records);
    if (delivered.outcome === "fenced") {
      throw new RangeError("a delivery without a fence was fenced");
    }
    return delivered;
  }

  async stop(actor: string, options: Partial<DeliverOptions> = {}): Promise<Answer> {
    return await this.#control(actor, "stop", { kind: "stop" }, options);
  }

  async restart(
    actor: string,
    mode: "resume" | "initial",
    options: Partial<DeliverOptions> = {},
  ): Promise<Answer> {
    return await this.#control(actor, "restart", { kind: "restart", mode }, options);
  }

  async actor(id: string): Promise<ActorView | undefined> {
    this.#host.assertAlive();
    const row = await this.store.read(id);
    return row === undefined ? undefined : this.#view(row, stateOf(row));
  }

  async waitFor(
    id: string,
    predicate: (view: ActorView) => boolean,
    options: WaitOptions = {},
  ): Promise<ActorView> {
    this.#host.assertOpen();
    return await this.#waiters.wait(id, predicate, options);
  }

  subscribe(listener: (committed: Committed) => void): () => void {
    const own = (committed: Committed) => listener(committed);
    this.#listeners.add(own);
    return () => void this.#listeners.delete(own);
  }

  on(
    filter: AnnouncementFilter,
    handler: (announcement: Announcement) => void | Promise<void>,
  ): () => void {
    return this.#announcements.add(filter, handler);
  }

  problems(listener: (problem: Problem) => void): () => void {
    const own = (problem: Problem) => listener(problem);
    this.#host.problemListeners.add(own);
    return () => void this.#host.problemListeners.delete(own);
  }

  async prune(): Promise<PruneResult> {
    this.#host.assertOpen();
    return await this.#pruner.prune();
  }

  async idle(): Promise<void> {
    while (!this.#host.isOver()) {
      await this.#survey.drained();
      await this.#loop.drained();
      await this.#deliverer.queue.drained();
      await this.#effects.drained();
      // What one of them did may have given the others work, within the same turn.
      await Promise.resolve();
      if (this.#loop.isIdle && this.#deliverer.queue.isIdle && this.#effects.isIdle) return;
    }
  }

  async close(): Promise<void> {
    if (!this.#host.isOpen()) return;
    this.#host.enter("closing");
    this.#halt();
    await this.#loop.drained();
    await this.#deliverer.queue.drained();
    await this.#effects.drained();
    // A store that is gone has forgotten the leases, or lets them run out.
    try {
      await this.#leases.release();
    } catch (error) {
      this.#host.problem({
        kind: "store",
        message: `Cannot give the leases back; they run out by themselves`,
        error: asError(error),
      });
    }
    this.#host.enter("closed");
  }

  kill(): void {
    if (this.#host.isOver()) return;
    this.#host.enter("closed");
    this.#halt();
  }

  #halt(): void {
    this.#loop.stop();
    this.#leases.stop();
    this.#pruner.stop();
    this.#effects.drop();
    this.#waiters.failAll(this.#host.closedError());
  }

  readonly #committed: CommitListener = (committed, plan) => {
    const { actor } = committed;
    const { transition } = plan;
    this.#effects.reconcile(actor, plan.state);
    this.#leases.note(actor);
    if (actor.owner === this.owner && this.#host.isOpen()) {
      const open = transition.outbox.filter((row) => row.state === "open");
      this.#effects.dispatch(actor, open.map((row) => ({ ...row, claimed: actor.epoch })));
    }
    // A new epoch hands out again what an earlier one left open.
    const isAdopted = transition.expected > 0 && actor.epoch !== plan.epochBefore;
    if (isAdopted || transition.tells.length > 0) this.#loop.kick();
    for (const { due } of transition.timersSet) this.#loop.dueAt(due);
    for (const listener of this.#listeners) {
      try {
        listener(committed);
      } catch (error) {
        const message = `A listener of engine.subscribe() threw: ${asError(error).message}`;
        this.#host.problem({ kind: "listener", message, actor: actor.id, error: asError(error) });
      }
    }
    if (this.#waiters.has(actor.id)) this.#waiters.show(actor.id, this.#view(actor, plan.state));
  };

  /** Another process may have moved an actor whose invokes run here. */
  async #reconcileAll(): Promise<void> {
    for (const actor of this.#effects.invokingActors) {
      const found = await this.store.read(actor);
      if (found === undefined) continue;
      const { row, state } = this.#deliverer.cache.put(found);
      this.#effects.reconcile(row, state);
    }
  }

  #view(row: ActorRow, state: KeptState): ActorView {
    const logic = this.#registry.runs(row) ? this.#registry.resolve(row).logic : undefined;
    return viewOf(row, state, logic === undefined ? [] : tagsOf(logic, state));
  }

  #isLive(row: ActorRow, invoke: string, effect: string): boolean {
    const cached = this.#deliverer.cache.get(row.id);
    const isNewer = cached !== undefined && cached.row.revision >= row.revision;
    const state = isNewer ? cached.state : stateOf(row);
    return state.invokes[invoke]?.effect === effect;
  }

  #control(
    actor: string,
    name: string,
    what: Job["what"],
    { eventId, cause = null }: Partial<DeliverOptions>,
  ): Promise<Answer> {
    this.#host.assertOpen();
    const id = eventId ?? `${name}:${this.owner}:${this.#host.clock.now()}:${++this.#controls}`;
    return this.#deliverer.deliver({ actor, eventId: id, cause, what }).then(answerOf);
  }

  /** Tries until it is written, refused, or the engine is over. */
  async #deliverResult(job: Job): Promise<void> {
    const { random } = this.#host;
    for (let failures = 0;; failures++) {
      try {
        const delivered = await this.#deliverer.deliver(job);
        this.#reportDead(job, delivered);
        return;
      } catch (error) {
        // What other processes may still resolve is tried again; a machine that is not here is not.
        if (!this.#host.isOpen() || !isStoreError(error)) throw error;
        if (failures === 0) this.#reportStore(error, job);
        await this.#host.sleep(Math.min(5_000, 50 * 2 ** failures) * (0.5 + random() / 2));
      }
    }
  }

  async #deliverDue(job: Job): Promise<boolean> {
    try {
      const delivered = await this.#deliverer.deliver(job);
      this.#reportDead(job, delivered);
      return delivered.outcome === "applied" || delivered.outcome === "dead-letter";
    } catch (error) {
      if (!this.#host.isOpen()) return false;
      if (isQuarantine(error)) this.#survey.report(job.actor, error);
      else this.#reportStore(error, job);
      return false;
    }
  }

  #reportDead(job: Job, delivered: Delivered): void {
    if (delivered.outcome !== "dead-letter" || delivered.reason !== "threw") return;
    const { actor, eventId } = job;
    this.#host.problem({
      kind: "event-dead",
      message: `Actor "${actor}" threw on event "${eventId}": ${delivered.error?.message}`,
      actor,
      error: new Error(delivered.error?.message, { cause: delivered.error }),
    });
  }

  #reportStore(error: unknown, { actor, eventId }: Job): void {
    this.#host.problem({
      kind: "store",
      message: `Cannot deliver event "${eventId}" to "${actor}" now: ${asError(error).message}`,
      actor,
      error: asError(error),
    });
  }
}

function answerOf(delivered: Delivered): Answer {
  switch (delivered.outcome) {
    case "applied":
      return { outcome: "applied", revision: delivered.revisions[0] ?? 0 };
    case "duplicate":
      return { outcome: "duplicate", earlier: delivered.earlier };
    case "dead-letter":
      return { outcome: "dead-letter", reason: delivered.reason, error: delivered.error };
    default:
      throw new RangeError(`a single delivery came to "${delivered.outcome}"`);
  }
}

function isStoreError(error: unknown): boolean {
  return isSidecanaryError(error) ? error.code.startsWith("store-") : true;
}

function isQuarantine(error: unknown): error is SidecanaryError {
  return isSidecanaryError(error, "machine-changed") || isSidecanaryError(error, "machine-unknown");
}
