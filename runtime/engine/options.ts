import type { Clock } from "../clock.ts";
import type { Random } from "../random.ts";
import type { Store } from "../store/store.ts";

/** How {@link openEngine} runs. */
export interface EngineOptions {
  /** Where the actors are kept. The engine does not close it. */
  readonly store: Store;
  /** @default systemClock */
  readonly clock?: Clock;
  /** @default systemRandom */
  readonly random?: Random;
  /**
   * The name leases are held under: unique among all processes that use the store.
   * @default drawn from `random`
   */
  readonly owner?: string;
  /**
   * Whether this process runs effects, timers and what actors tell each other. One that does not only
   * delivers events: it takes no lease, and leaves the rest to the processes that do.
   * @default true
   */
  readonly works?: boolean;
  /**
   * How long a lease is taken for, in ms. After a crash, another process adopts the actors when it
   * has run out.
   * @default 10_000
   */
  readonly leaseMs?: number;
  /**
   * How often work of other processes is looked for, in ms; `Infinity` relies on the store's own
   * notifications.
   * @default 500
   */
  readonly pollMs?: number;
  /**
   * How many actors' rows are kept in memory. An actor beyond them costs no memory at all.
   * @default 1_000
   */
  readonly cacheSize?: number;
  /**
   * How long the past is kept, in ms: journal, settled effects, dead letters, ended actors. **An
   * event id is recognised as a duplicate for this long** after it was applied or dead-lettered, and
   * longer only by chance. `Infinity` keeps everything.
   * @default 604_800_000 (7 days)
   */
  readonly retentionMs?: number;
  /**
   * How many times an action or an announcement is tried before it becomes a dead letter.
   * @default 10
   */
  readonly maxEffectAttempts?: number;
  /**
   * How long to wait before the next try, in ms, after `attempt` failures (from 1).
   * @default doubles from 100 ms up to 60 s, with full jitter above the half
   */
  readonly effectBackoff?: (attempt: number, random: Random) => number;
  /**
   * How many invokes run in this process at once; callback ports count as long as they live.
   * @default 4_096
   */
  readonly maxInvokes?: number;
  /**
   * Called at the named points with what is about to happen or has happened; for crash tests and
   * simulations. What it throws fails the operation.
   */
  readonly faults?: (point: FaultPoint) => void | Promise<void>;
  /**
   * Told of what no caller waits for: an effect that was given up, an actor that cannot be run. See
   * {@link Engine.problems} for several listeners.
   * @default `process.emitWarning`, while there is no listener
   */
  readonly onProblem?: (problem: Problem) => void;
}

/** Where {@link EngineOptions.faults} is called. */
export type FaultPoint =
  | "commit.before"
  | "commit.after"
  | "effect.before"
  | "effect.after"
  | "settle.before"
  | "settle.after"
  | "timer.before"
  | "inbox.before"
  | "claim.before"
  | "claim.after"
  | "renew.before";

/** Something that went wrong where no caller waits for an answer. */
export interface Problem {
  readonly kind:
    /** An action or announcement failed for the last time; it has a dead letter. */
    | "effect-dead"
    /** An event that arrived by itself (timer, tell, result) was dead-lettered, because the step threw. */
    | "event-dead"
    /** The actor's machine is not registered as it was stored: it is not run here. */
    | "quarantined"
    /** The store failed; it is tried again. */
    | "store"
    /** A listener threw. */
    | "listener";
  readonly message: string;
  /** The actor concerned, where it is one. */
  readonly actor?: string;
  readonly error: Error;
}
