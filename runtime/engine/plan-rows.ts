import type { Json } from "../json.ts";
import type { DeadLetterRow, TimerRow, Transition } from "../store/store.ts";
import type { ErrorData, EventData } from "./actor-state.ts";
import type { KeptState } from "./actor-view.ts";
import type { Job } from "./job.ts";
import type { CachedActor } from "./row-cache.ts";
import { changesBetween } from "./state-change.ts";
import type { DeadLetterReason } from "./step-result.ts";

/** What is to be written for a job. */
export type Plan =
  | {
    readonly kind: "transition";
    readonly transition: Transition;
    /** The state that `transition.actor.state` is the text of. */
    readonly state: KeptState;
    /** The event itself, where the transition only records that it could not be applied. */
    readonly letter: DeadLetterRow | null;
    /** 0 before the first transition. */
    readonly epochBefore: number;
  }
  | {
    readonly kind: "dead-letter";
    readonly letter: DeadLetterRow;
    readonly error: ErrorData | null;
  };

/** An actor as it stands before a job. */
export interface Current {
  readonly row: CachedActor["row"];
  readonly state: KeptState;
  readonly text: string;
}

/** What a plan is made from. */
export interface Frame {
  readonly job: Job;
  /** What the step goes on from: migrated where the definition changed. */
  readonly before: Current | undefined;
  /** What stands in the store. */
  readonly stored: KeptState | undefined;
  readonly hash: string;
  readonly name: string;
  readonly revision: number;
  readonly now: number;
}

/** What a transition holds beside the state. */
export interface Content {
  readonly status: Transition["actor"]["status"];
  readonly epoch: number;
  readonly eventId: string;
  readonly event: EventData;
  readonly edges: string;
  readonly outbox: Transition["outbox"];
  readonly tells: Transition["tells"];
  readonly timersSet: readonly string[];
  readonly timersCleared: readonly string[];
  readonly settled: readonly string[];
  readonly cancelled: readonly string[];
  readonly letter: DeadLetterRow | null;
}

/** Every so many revisions the journal keeps the whole state, so that the past can be shown from there. */
const wholeEvery = 50;

/** The rows of a transition to `state`. */
export function planTransition(frame: Frame, state: KeptState, content: Content): Plan {
  const { job, before, stored, revision, now } = frame;
  const isWhole = stored === undefined || revision % wholeEvery === 1;
  const change = isWhole
    ? [[[], state]]
    : changesBetween(stored as unknown as Json, state as unknown as Json);
  return {
    kind: "transition",
    state,
    letter: content.letter,
    epochBefore: before?.row.epoch ?? 0,
    transition: {
      actor: {
        id: job.actor,
        machine: frame.name,
        hash: frame.hash,
        revision,
        epoch: content.epoch,
        status: content.status,
        state: JSON.stringify(state),
        supervisor: supervisorOf(frame),
        updatedAt: now,
      },
      expected: revision - 1,
      ...(job.fence === undefined ? {} : { fence: job.fence }),
      journal: {
        actor: job.actor,
        revision,
        eventId: content.eventId,
        event: JSON.stringify(content.event),
        cause: job.cause,
        at: now,
        edges: content.edges,
        change: JSON.stringify(change),
      },
      outbox: content.outbox,
      tells: content.tells,
      timersSet: content.timersSet.flatMap((id) => timerRow(job.actor, id, state)),
      timersCleared: content.timersCleared,
      settled: content.settled,
      cancelled: content.cancelled,
    },
  };
}

function timerRow(actor: string, id: string, state: KeptState): TimerRow[] {
  const timer = state.timers[id];
  if (timer === undefined) return [];
  const { revision, due, event } = timer;
  return [{ actor, id, revision, due, event: JSON.stringify(event) }];
}

/** Whom the actor's end is told to. */
export function supervisorOf({ job, before }: Frame): string | null {
  return job.what.kind === "start" ? job.what.supervisor : before?.row.supervisor ?? null;
}

/** A dead letter for the job's event. */
export function planRefusal(
  { job, now }: Frame,
  event: EventData,
  reason: DeadLetterReason,
  error: ErrorData | null,
): Plan {
  return {
    kind: "dead-letter",
    error,
    letter: {
      actor: job.actor,
      eventId: job.eventId,
      event: JSON.stringify(event),
      reason,
      error: error === null ? null : JSON.stringify(error),
      at: now,
    },
  };
}
