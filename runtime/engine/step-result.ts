import type { Json } from "../json.ts";
import type { ActorState, ErrorData, EventData } from "./actor-state.ts";

/** An edge taken in a macrostep. */
export interface Edge {
  /** The id of the state node that the transition belongs to. */
  readonly source: string;
  /** The event descriptor; `""` for an eventless transition. */
  readonly event: string;
  /** Ids of the target nodes; empty for a targetless transition. */
  readonly targets: readonly string[];
}

/** An effect that a step decided, before it has an outbox id. */
export type Effect =
  | {
    readonly kind: "invoke";
    readonly invoke: string;
    readonly src: string;
    readonly input: Json;
  }
  | {
    readonly kind: "action";
    readonly type: string;
    readonly params: Json;
    readonly context: Json;
    readonly event: EventData;
  }
  | { readonly kind: "announce"; readonly event: EventData };

/** What a step decided. */
export type StepResult =
  | {
    readonly outcome: "applied";
    readonly state: ActorState;
    /** The event as xstate saw it, for the journal. */
    readonly event: EventData;
    readonly edges: readonly Edge[];
    /** In order. The effect at position i has the outbox id `actor:revision:i`. */
    readonly effects: readonly Effect[];
    /** Events for other actors, in order; the k-th has the event id `actor:revision:t<k>`. */
    readonly tells: readonly { readonly to: string; readonly event: EventData }[];
    /** Ids of timers in `state` whose rows are to be written. */
    readonly timersSet: readonly string[];
    /** Ids of timers whose rows are to be removed; some may not stand there. */
    readonly timersCleared: readonly string[];
    /** Outbox ids of this actor whose work is done by this step. */
    readonly settled: readonly string[];
    /** Outbox ids of this actor that this step makes pointless. */
    readonly cancelled: readonly string[];
  }
  | {
    readonly outcome: "dead-letter";
    /** The event as far as it can be told. */
    readonly event: EventData;
    readonly reason: DeadLetterReason;
    readonly error: ErrorData | null;
  }
  /** The machine ended in xstate's status `error`: an unhandled failure of a port. Not applied yet. */
  | {
    readonly outcome: "failed";
    readonly error: Json;
    /** What applying it would be: for an actor without a supervisor. */
    readonly applied: Extract<StepResult, { outcome: "applied" }>;
  };

/**
 * Why an event was not applied. `ended`: the actor is done, failed or stopped. `crashed`: it waits
 * for its supervisor. `stale-timer`, `stale-result`: the timer or invoke is not there any more.
 * `threw`: the step threw. `not-restartable`: a restart of an actor that ended well.
 */
export type DeadLetterReason =
  | "ended"
  | "crashed"
  | "stale-timer"
  | "stale-result"
  | "threw"
  | "crash"
  | "not-restartable"
  | "no-such-actor";
