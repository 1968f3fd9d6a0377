import type { AnyStateMachine } from "xstate";
import type { Json } from "../json.ts";
import type { ActorRow, JournalRow, PruneResult, RecordWrite, Store } from "../store/store.ts";
import type { ActorState, EventData } from "./actor-state.ts";
import type { ActorView } from "./actor-view.ts";
import type { Answer, Delivery, TransactAnswer } from "./answer.ts";
import { DurableEngine } from "./durable-engine.ts";
import type { Logic, LogicOptions } from "./logic.ts";
import type { EngineOptions, Problem } from "./options.ts";

/** How a machine is registered. */
export interface RegisterOptions extends LogicOptions {
  /**
   * Turns the state of an actor that another definition left into one that this definition can go on
   * from. Without it such an actor is not run: deliveries reject with `machine-changed`.
   */
  readonly migrate?: (state: ActorState, fromHash: string) => ActorState;
}

/** How an actor is started. */
export interface StartOptions {
  /** @default null */
  readonly input?: Json;
  /**
   * The actor that is told of a crash and of a good end.
   * @default null
   */
  readonly supervisor?: string | null;
  /** @default "init" */
  readonly eventId?: string;
}

/** How an event is delivered. */
export interface DeliverOptions {
  /** Names this event for ever; the same for every retry. */
  readonly eventId: string;
  /**
   * Where it came from, for the journal.
   * @default null
   */
  readonly cause?: string | null;
}

/** How {@link Engine.waitFor} waits. */
export interface WaitOptions {
  /** Rejects with the signal's reason. */
  readonly signal?: AbortSignal;
  /**
   * Rejects with `wait-timeout` after this many ms.
   * @default Infinity
   */
  readonly timeoutMs?: number;
}

/** A transition that this process committed. */
export interface Committed {
  readonly actor: ActorRow;
  /** As it was written, without the store's `seq`. */
  readonly journal: Omit<JournalRow, "seq">;
}

/** An announcement: what a machine said with `emit`. */
export interface Announcement {
  /** The outbox id: the same for every try. */
  readonly id: string;
  readonly actor: string;
  readonly machine: string;
  readonly revision: number;
  readonly event: EventData;
  /** How many tries came before this one. */
  readonly attempts: number;
}

/** Which announcements are meant: every field that is given must match. */
export interface AnnouncementFilter {
  readonly machine?: string;
  readonly actor?: string;
  readonly type?: string;
}

/**
 * Runs machines durably over a store: exactly-once transitions, at-least-once effects with
 * idempotency keys. After {@link Engine.close} or {@link Engine.kill} every method rejects with
 * `engine-closed`.
 */
export interface Engine {
  /** The name its leases are held under. */
  readonly owner: string;
  readonly store: Store;

  /**
   * Makes a machine known in this process. Its ports and its named actions are run after the commit
   * that decided them, at least once each; `effectOf(self)` tells both their idempotency key. An
   * action is given `({ context, event, self }, params)`, and may answer a promise.
   *
   * May be called before or after its actors exist. Of several definitions
   * of one name, a new actor takes the last registered; an existing one goes on with its own.
   * @throws SidecanaryError `machine-refused` naming the node that cannot be run durably
   */
  register(machine: AnyStateMachine, options?: RegisterOptions): Logic;

  /** Starts an actor. A second start of the same id with the same event id is a `duplicate`. */
  start(actor: string, machine: string, options?: StartOptions): Promise<Answer>;

  /**
   * Delivers an event. The answer `applied` survives the death of the process.
   * @throws SidecanaryError `event-refused`, `not-json`, `actor-unknown`, `machine-unknown`, `machine-changed`, `store-…`
   */
  deliver(actor: string, event: EventData, options: DeliverOptions): Promise<Answer>;

  /** Applies several deliveries to different actors and writes the caller's rows: all or nothing. */
  transact(
    deliveries: readonly Delivery[],
    records?: readonly RecordWrite[],
  ): Promise<TransactAnswer>;

  /** Ends an actor from outside: invokes and timers are cancelled, status `stopped`. */
  stop(actor: string, options?: Partial<DeliverOptions>): Promise<Answer>;

  /** Runs an actor again, from its last committed snapshot or from the initial transition; epoch + 1. */
  restart(
    actor: string,
    mode: "resume" | "initial",
    options?: Partial<DeliverOptions>,
  ): Promise<Answer>;

  /** The actor as it was last committed by any process, or `undefined`. */
  actor(id: string): Promise<ActorView | undefined>;

  /**
   * Waits until a committed state of the actor satisfies `predicate`; an actor that does not exist
   * yet is waited for. States that come and go between two looks may be missed.
   */
  waitFor(
    id: string,
    predicate: (view: ActorView) => boolean,
    options?: WaitOptions,
  ): Promise<ActorView>;

  /** Calls `listener` after every transition that this process committed. Answers how to stop. */
  subscribe(listener: (committed: Committed) => void): () => void;

  /**
   * Calls `handler` for announcements of the actors whose lease this process holds: at least once
   * each, in order per actor. A handler that throws or rejects is tried again with backoff, together
   * with the others that matched; what was announced later does not wait for it. Answers how to stop.
   */
  on(
    filter: AnnouncementFilter,
    handler: (announcement: Announcement) => void | Promise<void>,
  ): () => void;

  /** Calls `listener` with every {@link Problem}. Answers how to stop. */
  problems(listener: (problem: Problem) => void): () => void;

  /** Forgets what is older than the retention now; runs by itself every hour. */
  prune(): Promise<PruneResult>;

  /**
   * Resolves when this process has nothing to do until an invoke answers, a timer is due or an event
   * arrives. For tests.
   */
  idle(): Promise<void>;

  /**
   * Stops claiming, aborts running invokes without recording their results, waits for what is being
   * written, and gives the leases back, so that another process goes on at once.
   */
  close(): Promise<void>;

  /** Drops everything at once, as a crash would: nothing more is written, no lease is given back. */
  kill(): void;
}

/**
 * Opens an engine over a store and starts looking for work; it keeps the process alive until it is
 * closed. Register handlers with
 * {@link Engine.on} before the machines whose announcements they want: an announcement that nobody
 * in this process wants counts as made.
 */
export function openEngine(options: EngineOptions): Promise<Engine> {
  return Promise.resolve(new DurableEngine(options).open());
}
