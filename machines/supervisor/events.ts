import type { RetryPolicy } from "../backoff.ts";
import type { JsonValue } from "../ports.ts";

/** `one_for_one` restarts the child that crashed, `rest_for_one` those started after it too, `one_for_all` all. */
export type SupervisorStrategy = "one_for_one" | "rest_for_one" | "one_for_all";

/** A child as its supervisor knows it. */
export interface SupervisedChild {
  /** The actor's id. */
  readonly id: string;
  /**
   * `permanent`: always restarted. `transient`: when it crashed. `temporary`: never; after a crash it
   * is stopped.
   * @default "transient"
   */
  readonly restart?: "permanent" | "transient" | "temporary";
  /**
   * After a crash: from its last committed snapshot, or from its initial transition. A child that
   * ended well has nothing to resume and always begins anew.
   * @default "resume"
   */
  readonly mode?: "resume" | "initial";
  /**
   * A supervisor is told HALT instead of being stopped, so that its own children stop with it, and
   * always begins anew.
   * @default "worker"
   */
  readonly kind?: "worker" | "supervisor";
}

/** What a supervisor is started with. */
export interface SupervisorInput {
  /** Its own id, which seeds the jitter of its backoff. */
  readonly id: string;
  /** In the order of their start. */
  readonly children: readonly SupervisedChild[];
  /** @default "one_for_one" */
  readonly strategy?: SupervisorStrategy;
  /**
   * How many restarts within the period are borne; one more escalates.
   * @default 1
   */
  readonly intensity?: number;
  /**
   * In ms. A restart counts for this long, its last millisecond included.
   * @default 5_000
   */
  readonly periodMs?: number;
  /**
   * How long to wait before a restart: grows while restarts follow each other within the period.
   * @default none: at once
   */
  readonly backoff?: Omit<RetryPolicy, "maxAttempts">;
  /**
   * Whether the children run already. Where not, the supervisor restarts them from the beginning.
   * @default false
   */
  readonly childrenRun?: boolean;
}

/** What a supervisor is told by the engine, and by its own timer. */
export type SupervisorEvent =
  /** `at` is when, in ms since the epoch: the machine has no clock of its own. */
  | {
    readonly type: "CHILD_CRASHED";
    readonly child: string;
    readonly error: JsonValue;
    readonly at: number;
  }
  | {
    readonly type: "CHILD_DONE";
    readonly child: string;
    readonly output: JsonValue;
    readonly at: number;
  }
  /** Stop all children and end. */
  | { readonly type: "HALT" }
  /** The backoff is over. */
  | { readonly type: "RESTART" };

/** What a supervisor ends with. All its children are stopped. */
export type SupervisorOutput =
  /** It gave up: `child` is the one whose end was one too many. */
  | { readonly end: "escalated"; readonly child: string; readonly error: JsonValue }
  /** It was told HALT. */
  | { readonly end: "halted" };
