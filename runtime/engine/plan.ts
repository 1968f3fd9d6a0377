import type { Json } from "../json.ts";
import type { DeadLetterRow, InboxRow } from "../store/store.ts";
import type { ActorState, ErrorData, EventData } from "./actor-state.ts";
import type { KeptState } from "./actor-view.ts";
import { effectId, tellId } from "./effect-id.ts";
import type { Job } from "./job.ts";
import {
  type Content,
  type Current,
  type Frame,
  type Plan,
  planRefusal,
  planTransition,
  supervisorOf,
} from "./plan-rows.ts";
import type { Registered } from "./registry.ts";
import type { CachedActor } from "./row-cache.ts";
import { step } from "./step.ts";
import type { StepEvent } from "./step-event.ts";
import type { StepResult } from "./step-result.ts";

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
      if (result.reason === "threw") return threw(frame, result.event, result.error);
      return planRefusal(frame, result.event, result.reason, result.error);
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
  return planTransition(frame, state, {
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

function threw(frame: Frame, event: EventData, error: ErrorData | null): Plan {
  const supervisor = supervisorOf(frame);
  const isDown = frame.before !== undefined && frame.before.row.status !== "active";
  if (frame.job.what.kind === "restart" && isDown && supervisor !== null) {
    return restartFailed(frame, event, error, supervisor);
  }
  return dropped(frame, event, error);
}

/** As in OTP, a restart that fails is one more crash: nobody else would try again. */
function restartFailed(
  frame: Frame,
  event: EventData,
  error: ErrorData | null,
  supervisor: string,
): Plan {
  const { job, before, now } = frame;
  const refused = planRefusal(frame, event, "threw", error);
  if (before === undefined || refused.kind !== "dead-letter") return refused;
  const crash = error as unknown as Json;
  const tell = { type: "CHILD_CRASHED", child: job.actor, error: crash, at: now };
  return waiting(frame, { ...before.state, crash }, {
    event: { type: "sidecanary.crash", error: crash, cause: job.eventId },
    tells: [toSupervisor(frame, supervisor, 0, tell)],
    settled: [],
    letter: refused.letter,
    eventId: `${job.eventId}:crash`,
  });
}

/**
 * A timer or a result that the machine threw on is taken out of the state with its dead letter: it
 * would otherwise stand there as due, or as running, for ever.
 */
function dropped(frame: Frame, event: EventData, error: ErrorData | null): Plan {
  const { job: { what, eventId }, before } = frame;
  const refused = planRefusal(frame, event, "threw", error);
  if (before === undefined || refused.kind !== "dead-letter") return refused;
  const isTimer = what.kind === "timer";
  if (!isTimer && (what.kind !== "result" || what.result.kind === "sent")) return refused;
  const { [isTimer ? what.id : ""]: _timer, ...timers } = before.state.timers;
  const { [isTimer ? "" : what.invoke]: _invoke, ...invokes } = before.state.invokes;
  return planTransition(frame, { ...before.state, timers, invokes }, {
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
  if (before === undefined) return planRefusal(frame, event, "no-such-actor", null);
  const { status } = before.row;
  if (status === "crashed") return planRefusal(frame, event, "crashed", null);
  if (status !== "active") return planRefusal(frame, event, "ended", null);
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
  return planTransition(frame, state, {
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
