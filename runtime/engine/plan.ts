import type { Json } from "../json.ts";
import type { DeadLetterRow, InboxRow, TimerRow, Transition } from "../store/store.ts";
import type { ActorState, ErrorData, EventData } from "./actor-state.ts";
import type { KeptState } from "./actor-view.ts";
import { effectId, tellId } from "./effect-id.ts";
import type { Registered } from "./registry.ts";
import type { CachedActor } from "./row-cache.ts";
import { changesBetween } from "./state-change.ts";
import { type DeadLetterReason, step, type StepEvent, type StepResult } from "./step.ts";

/** One event on its way into an actor. */
export interface Job {
  readonly actor: string;
  readonly eventId: string;
  readonly cause: string | null;
  readonly what:
    | Exclude<StepEvent, { kind: "init" } | { kind: "restart" }>
    | {
      readonly kind: "start";
      readonly machine: string;
      readonly input: Json;
      readonly restartInput?: Json;
      readonly supervisor: string | null;
    }
    | { readonly kind: "restart"; readonly mode: "resume" | "initial" }
    /** A supervisor wants it to wait: like a crash, but without a fault. */
    | { readonly kind: "suspend" };
  /** The epoch that an effect's result must still find. */
  readonly fence?: number;
}

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

/** Steps the actor with the job's event and puts what it decided into rows. Pure, but for the step's own machine. */
export function plan(
  job: Job,
  before: CachedActor | undefined,
  { logic, migrate }: Registered,
  now: number,
): Plan {
  const current = before === undefined ? undefined : migrated(before, logic.hash, migrate);
  const revision = (before?.row.revision ?? 0) + 1;
  const { hash, name } = logic;
  const stored = before?.state;
  const frame: Frame = { job, before: current, stored, hash, name, revision, now };
  if (job.what.kind === "suspend") return suspend(frame);
  const result = step({
    logic,
    actor: job.actor,
    state: current === undefined ? null : current.text,
    status: before?.row.status ?? "active",
    revision,
    event: stepEvent(job, current?.state),
    now,
  });
  switch (result.outcome) {
    case "dead-letter":
      if (result.reason === "threw") return dropped(frame, result.event, result.error);
      return refusal(frame, result.event, result.reason, result.error);
    case "applied":
      return applied(frame, result);
    case "failed": {
      const supervisor = supervisorOf(frame);
      if (supervisor === null) return applied(frame, result.applied);
      return crashed(frame, result.applied, result.error, supervisor);
    }
  }
}

type Applied = Extract<StepResult, { outcome: "applied" }>;

interface Current {
  readonly row: CachedActor["row"];
  readonly state: KeptState;
  readonly text: string;
}

interface Frame {
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

function migrated(before: CachedActor, hash: string, migrate: Registered["migrate"]): Current {
  const { row, state } = before;
  if (row.hash === hash || migrate === undefined) return { row, state, text: row.state };
  const kept = { ...keptParts(state), ...migrate(structuredClone(state) as ActorState, row.hash) };
  return { row, state: kept, text: JSON.stringify(kept) };
}

function stepEvent({ what }: Job, state: KeptState | undefined): StepEvent {
  if (what.kind === "start") return { kind: "init", input: what.input };
  if (what.kind === "suspend") throw new RangeError("a suspend is not stepped");
  if (what.kind !== "restart") return what;
  // An actor that failed in its initial transition has no snapshot to go on from.
  const mode = state !== undefined && state.snapshot.status === "error" ? "initial" : what.mode;
  return { kind: "restart", mode, input: state?.input ?? null };
}

function supervisorOf({ job, before }: Frame): string | null {
  return job.what.kind === "start" ? job.what.supervisor : before?.row.supervisor ?? null;
}

function keptParts(state: KeptState | undefined): { readonly input?: Json } {
  return state?.input === undefined ? {} : { input: state.input };
}

function applied(frame: Frame, result: Applied): Plan {
  const { job, before, revision, now } = frame;
  const { snapshot } = result.state;
  const isOver = snapshot.status !== "active";
  // An actor that ended runs nothing more, whatever its machine left open.
  const state: KeptState = {
    snapshot,
    invokes: isOver ? {} : result.state.invokes,
    timers: isOver ? {} : result.state.timers,
    ...inputOf(frame),
  };
  const kept = isOver ? Object.values(result.state.invokes).map((invoke) => invoke.effect) : [];
  const supervisor = supervisorOf(frame);
  const tells: Omit<InboxRow, "seq">[] = result.tells.map(({ to, event }, index) => ({
    actor: to,
    eventId: tellId(job.actor, revision, index),
    event: JSON.stringify(event),
    cause: `${job.actor}:${revision}`,
  }));
  if (supervisor !== null && snapshot.status === "done") {
    const event = {
      type: "CHILD_DONE",
      child: job.actor,
      output: snapshot.output ?? null,
      at: now,
    };
    tells.push(toSupervisor(frame, supervisor, tells.length, event));
  }
  const isRestart = job.what.kind === "restart";
  return transition(frame, state, {
    status: snapshot.status,
    epoch: (before?.row.epoch ?? 0) + (isRestart ? 1 : 0),
    event: result.event,
    edges: JSON.stringify(result.edges),
    outbox: result.effects.map((effect, index) => ({
      id: effectId(job.actor, revision, index),
      actor: job.actor,
      revision,
      index,
      kind: effect.kind,
      payload: JSON.stringify(effect),
      state: isOver && effect.kind === "invoke" ? "cancelled" : "open",
      due: now,
      attempts: 0,
    })),
    tells,
    timersSet: isOver ? [] : result.timersSet,
    timersCleared: isOver
      ? [...result.timersCleared, ...Object.keys(before?.state.timers ?? {})]
      : result.timersCleared,
    settled: result.settled,
    cancelled: [...result.cancelled, ...kept.filter((id) => !result.cancelled.includes(id))],
    letter: null,
    eventId: job.eventId,
  });
}

/**
 * A timer or a result that the machine threw on is taken out of the state with its dead letter: it
 * would otherwise stand there as due, or as running, for ever.
 */
function dropped(frame: Frame, event: EventData, error: ErrorData | null): Plan {
  const { job: { what, eventId }, before } = frame;
  const refused = refusal(frame, event, "threw", error);
  if (before === undefined || refused.kind !== "dead-letter") return refused;
  const isTimer = what.kind === "timer";
  if (!isTimer && (what.kind !== "result" || what.result.kind === "sent")) return refused;
  const { [isTimer ? what.id : ""]: _timer, ...timers } = before.state.timers;
  const { [isTimer ? "" : what.invoke]: _invoke, ...invokes } = before.state.invokes;
  return transition(frame, { ...before.state, timers, invokes }, {
    status: before.row.status,
    epoch: before.row.epoch,
    eventId: `${eventId}:dropped`,
    event: { type: "sidecanary.dropped", cause: eventId },
    edges: "[]",
    outbox: [],
    tells: [],
    timersSet: [],
    timersCleared: isTimer ? [what.id] : [],
    settled: isTimer ? [] : [what.effect],
    cancelled: [],
    letter: refused.letter,
  });
}

/** The event is a dead letter; that the actor waits for its supervisor is a transition of its own. */
function crashed(frame: Frame, failed: Applied, error: Json, supervisor: string): Plan {
  const { job, before, now } = frame;
  const event = JSON.stringify(failed.event);
  const letter: DeadLetterRow = {
    actor: job.actor,
    eventId: job.eventId,
    event,
    reason: "crash",
    error: JSON.stringify(error),
    at: now,
  };
  // Without an earlier snapshot the failed one stands in; a restart begins anew from it.
  const base = before === undefined
    ? { ...failed.state, invokes: {}, timers: {} }
    : withoutTimer(before.state, job);
  const tell = { type: "CHILD_CRASHED", child: job.actor, error, at: now };
  return waiting(frame, { ...base, ...inputOf(frame), crash: error }, {
    event: { type: "sidecanary.crash", error, cause: job.eventId },
    tells: [toSupervisor(frame, supervisor, 0, tell)],
    settled: failed.settled,
    letter,
    eventId: `${job.eventId}:crash`,
  });
}

function withoutTimer(state: KeptState, { what }: Job): KeptState {
  if (what.kind !== "timer") return state;
  const { [what.id]: _fired, ...timers } = state.timers;
  return { ...state, timers };
}

function suspend(frame: Frame): Plan {
  const { before } = frame;
  const event = { type: "sidecanary.suspend" };
  if (before === undefined) return refusal(frame, event, "no-such-actor", null);
  const { status } = before.row;
  if (status === "crashed") return refusal(frame, event, "crashed", null);
  if (status !== "active") return refusal(frame, event, "ended", null);
  const { eventId } = frame.job;
  return waiting(frame, before.state, { event, tells: [], settled: [], letter: null, eventId });
}

/** Status `crashed`: nothing runs and no timer is armed, but the state stays for a restart. */
function waiting(
  frame: Frame,
  state: KeptState,
  rest: Pick<Content, "event" | "tells" | "settled" | "letter" | "eventId">,
): Plan {
  const { before } = frame;
  return transition(frame, state, {
    ...rest,
    status: "crashed",
    epoch: before?.row.epoch ?? 0,
    edges: "[]",
    outbox: [],
    timersSet: [],
    timersCleared: Object.keys(before?.state.timers ?? {}),
    cancelled: Object.values(before?.state.invokes ?? {}).map((invoke) => invoke.effect)
      .filter((id) => !rest.settled.includes(id)),
  });
}

interface Content {
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

function transition(frame: Frame, state: KeptState, content: Content): Plan {
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

function inputOf({ job, before }: Frame): { readonly input?: Json } {
  if (job.what.kind !== "start") return keptParts(before?.state);
  const input = job.what.restartInput ?? job.what.input;
  return input === null ? {} : { input };
}

function toSupervisor(
  { job, revision }: Frame,
  supervisor: string,
  index: number,
  event: EventData,
): Omit<InboxRow, "seq"> {
  return {
    actor: supervisor,
    eventId: tellId(job.actor, revision, index),
    event: JSON.stringify(event),
    cause: `${job.actor}:${revision}`,
  };
}

function refusal(
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
