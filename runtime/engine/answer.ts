import type { Json } from "../json.ts";
import type { CommitResult, RecordWrite } from "../store/store.ts";
import type { ErrorData, EventData } from "./actor-state.ts";
import type { DeadLetterReason } from "./step-result.ts";

/** What an earlier delivery of the same event id came to. */
export type Earlier = Extract<CommitResult, { outcome: "duplicate" }>["earlier"];

/** The event is in the actor's journal, as this revision. */
export interface Applied {
  readonly outcome: "applied";
  readonly revision: number;
}

/** The event id was known for this actor: nothing was written. */
export interface Duplicate {
  readonly outcome: "duplicate";
  readonly earlier: Earlier;
}

/** The event was not applied and never will be; a dead letter says so. */
export interface DeadLetter {
  readonly outcome: "dead-letter";
  readonly reason: DeadLetterReason;
  readonly error: ErrorData | null;
}

/** What a delivery came to. Each of them is final: sending the same event id again changes nothing. */
export type Answer = Applied | Duplicate | DeadLetter;

/** An event for an actor, as a part of {@link Engine.transact}. */
export interface EventDelivery {
  readonly actor: string;
  readonly event: EventData;
  /**
   * Names this event for ever: a second delivery with the same id is a `duplicate`. Mint it once,
   * where the event arises, and use it again for every retry.
   */
  readonly eventId: string;
  /**
   * Where the event came from, for the journal.
   * @default null
   */
  readonly cause?: string | null;
}

/** The start of an actor, as a part of {@link Engine.transact}. */
export interface StartDelivery {
  readonly actor: string;
  /** The machine's registered name: its newest registered definition is taken. */
  readonly machine: string;
  /**
   * The machine's input.
   * @default null
   */
  readonly input?: Json;
  /**
   * The input of a later restart from the beginning.
   * @default `input`
   */
  readonly restartInput?: Json;
  /**
   * The actor that is told of a crash (`CHILD_CRASHED`) and of a good end (`CHILD_DONE`).
   * @default null
   */
  readonly supervisor?: string | null;
  /** @default "init" */
  readonly eventId?: string;
  /** @default null */
  readonly cause?: string | null;
}

/** One part of {@link Engine.transact}. */
export type Delivery = EventDelivery | StartDelivery;

/** A caller's row, written with the transitions. */
export type { RecordWrite };

/** What {@link Engine.transact} came to. Everything but `applied` wrote nothing at all. */
export type TransactAnswer =
  | {
    readonly outcome: "applied";
    /** The revision of each actor, in the order of the deliveries. */
    readonly revisions: readonly number[];
  }
  | {
    /** This delivery was known already. */
    readonly outcome: "duplicate";
    readonly actor: string;
    readonly eventId: string;
    readonly earlier: Earlier;
  }
  | {
    /** This delivery could not be applied; no dead letter is kept, since nothing is written. */
    readonly outcome: "dead-letter";
    readonly actor: string;
    readonly eventId: string;
    readonly reason: DeadLetterReason;
    readonly error: ErrorData | null;
  }
  | {
    /** A record's `expected` version did not match. */
    readonly outcome: "record-conflict";
    readonly collection: string;
    readonly key: string;
    /** The version that stands there; 0 for none. */
    readonly version: number;
  };
