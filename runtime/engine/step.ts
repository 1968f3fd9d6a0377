import type { Json } from "../json.ts";
import { plainJson } from "../plain-json.ts";
import type { ActorState, ErrorData, EventData } from "./actor-state.ts";
import { collectEffects, withoutFired } from "./collect-effects.ts";
import { effectId } from "./effect-id.ts";
import { errorData } from "./error-data.ts";
import type { Logic } from "./logic.ts";
import type { Macrostep } from "./scope.ts";

/** What can happen to an actor. */
export type StepEvent =
  /** The initial transition. */
  | { readonly kind: "init"; readonly input: Json }
  /** An event from outside, or told by another actor. */
  | { readonly kind: "event"; readonly event: EventData }
  /** A timer row is due. */
  | { readonly kind: "timer"; readonly id: string; readonly revision: number }
  /** A port answered. `effect` is the outbox id it ran under. */
  | {
    readonly kind: "result";
    readonly invoke: string;
    readonly effect: string;
    readonly result:
      /** No `output` where the port gave none. */
      | { readonly kind: "done"; readonly output?: Json }
      | { readonly kind: "error"; readonly error: Json }
      /** A callback port sent an event back; the invoke lives on. */
      | { readonly kind: "sent"; readonly event: EventData };
  }
  /** Run again: from the last committed snapshot, or from the initial transition. */
  | { readonly kind: "restart"; readonly mode: "resume" | "initial"; readonly input: Json }
  /** End it: invokes and timers are cancelled, status `stopped`. */
  | { readonly kind: "stop" };

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

/** What {@link step} is given. */
export interface StepInput {
  readonly logic: Logic;
  readonly actor: string;
  /** The stored state as JSON text: parsed afresh in every step. `null` before the first. */
  readonly state: string | null;
  readonly status: "active" | "done" | "error" | "stopped" | "crashed";
  /** The revision that this step would have. */
  readonly revision: number;
  readonly event: StepEvent;
  /** ms since the epoch, for the due times of timers. */
  readonly now: number;
}

/**
 * What an event does to an actor: the next state, and the effects as data. Pure: nothing is executed,
 * and the same input gives the same result, byte for byte.
 *
 * An error that the machine throws (a guard, an assign, the iteration limit, data that is not plain)
 * is a dead letter, never a throw.
 */
export function step(input: StepInput): StepResult {
  const { event, status, state: text } = input;
  if (event.kind === "init") return start(input, emptyState, initEvent(event.input), event.input);
  if (text === null) return refused(eventData(event), "no-such-actor");
  const state = JSON.parse(text) as ActorState;
  if (event.kind === "restart") return restart(input, event, state);
  if (status === "crashed" && event.kind !== "stop") return refused(eventData(event), "crashed");
  if (status !== "active" && status !== "crashed") return refused(eventData(event), "ended");
  switch (event.kind) {
    case "stop":
      return stop(state);
    case "event":
      return transition(input, state, event.event);
    case "timer": {
      const timer = state.timers[event.id];
      if (timer === undefined || timer.revision !== event.revision) {
        return refused(eventData(event), "stale-timer");
      }
      return fire(input, state, event.id, timer.event);
    }
    case "result": {
      const invoke = state.invokes[event.invoke];
      if (invoke === undefined || invoke.effect !== event.effect) {
        return refused(resultEvent(event), "stale-result");
      }
      if (event.result.kind === "sent") {
        return transition(input, state, event.result.event);
      }
      const { [event.invoke]: _ended, ...invokes } = state.invokes;
      return transition(input, { ...state, invokes }, resultEvent(event), [event.effect]);
    }
  }
}

type Applied = Extract<StepResult, { outcome: "applied" }>;

function start(
  input: StepInput,
  before: ActorState,
  event: EventData,
  machineInput: Json,
): StepResult {
  return guarded(event, () => {
    const { scope, stepped } = input.logic;
    return conclude(input, before, emptyState, scope.init(stepped, machineInput), event);
  });
}

function transition(
  input: StepInput,
  state: ActorState,
  event: EventData,
  settled: readonly string[] = [],
): StepResult {
  return guarded(event, () => {
    const { scope, stepped } = input.logic;
    const macrostep = scope.transition(stepped, state, event);
    return conclude(input, state, state, macrostep, event, settled);
  });
}

function fire(input: StepInput, state: ActorState, id: string, event: EventData): StepResult {
  const base = { ...state, timers: withoutFired(state.timers, id) };
  return guarded(event, () => {
    const { scope, stepped } = input.logic;
    return conclude(input, state, base, scope.transition(stepped, base, event), event);
  });
}

/** `before` is what stood there, `base` what the macrostep went on from: they differ at a restart. */
function conclude(
  input: StepInput,
  before: ActorState,
  base: ActorState,
  macrostep: Macrostep,
  event: EventData,
  settled: readonly string[] = [],
): StepResult {
  const collected = collectEffects(input, base, macrostep);
  const ended = macrostep.snapshot.status !== "active";
  // Checked here, where a bad value still has the event's name that brought it.
  const text = plainJson(
    {
      state: {
        snapshot: macrostep.snapshot,
        invokes: ended ? {} : collected.invokes,
        timers: ended ? {} : collected.timers,
      },
      effects: collected.effects,
      tells: collected.tells,
    },
    `the state or an effect of actor "${input.actor}"`,
  );
  const { state, effects, tells } = JSON.parse(text) as Pick<
    Applied,
    "state" | "effects" | "tells"
  >;
  const { invokes, timers } = state;
  const live = new Set(Object.values(invokes).map((invoke) => invoke.effect));
  const applied: Applied = {
    outcome: "applied",
    state,
    event,
    edges: macrostep.transitions,
    effects: ended ? effects.filter((effect) => effect.kind !== "invoke") : effects,
    tells,
    timersSet: Object.keys(timers).filter((id) =>
      timers[id]?.revision !== before.timers[id]?.revision
    ),
    timersCleared: Object.keys(before.timers).filter((id) => timers[id] === undefined),
    settled,
    cancelled: Object.values(before.invokes)
      .map((invoke) => invoke.effect)
      .filter((effect) => !live.has(effect)),
  };
  if (state.snapshot.status !== "error") return applied;
  return { outcome: "failed", error: state.snapshot.error ?? null, applied };
}

function restart(
  input: StepInput,
  event: { readonly mode: "resume" | "initial"; readonly input: Json },
  state: ActorState,
): StepResult {
  const shown = { type: "sidecanary.restart", mode: event.mode };
  const resumable = input.status === "active" || input.status === "crashed";
  if (event.mode === "initial") return start(input, state, shown, event.input);
  if (!resumable) return refused(shown, "not-restartable");
  const live = Object.entries(state.invokes);
  const effects: Effect[] = live.map(([invoke, { src, input: portInput }]) => ({
    kind: "invoke",
    invoke,
    src,
    input: portInput,
  }));
  const invokes = Object.fromEntries(
    live.map(([id, invoke], index) => [
      id,
      { ...invoke, effect: effectId(input.actor, input.revision, index) },
    ]),
  );
  return {
    outcome: "applied",
    state: { ...state, invokes },
    event: shown,
    edges: [],
    effects,
    tells: [],
    timersSet: Object.keys(state.timers),
    timersCleared: [],
    settled: [],
    cancelled: live.map(([, invoke]) => invoke.effect),
  };
}

function stop(state: ActorState): StepResult {
  return {
    outcome: "applied",
    state: { snapshot: { ...state.snapshot, status: "stopped" }, invokes: {}, timers: {} },
    event: { type: "sidecanary.stop" },
    edges: [],
    effects: [],
    tells: [],
    timersSet: [],
    timersCleared: Object.keys(state.timers),
    settled: [],
    cancelled: Object.values(state.invokes).map((invoke) => invoke.effect),
  };
}

const emptyState: ActorState = {
  snapshot: { status: "active", value: {}, context: {}, historyValue: {} },
  invokes: {},
  timers: {},
};

function initEvent(input: Json): EventData {
  return { type: "xstate.init", input };
}

function eventData(event: Exclude<StepEvent, { kind: "init" }>): EventData {
  switch (event.kind) {
    case "event":
      return event.event;
    case "timer":
      return { type: "sidecanary.timer", id: event.id, revision: event.revision };
    case "result":
      return resultEvent(event);
    case "restart":
      return { type: "sidecanary.restart", mode: event.mode };
    case "stop":
      return { type: "sidecanary.stop" };
  }
}

function resultEvent(event: Extract<StepEvent, { kind: "result" }>): EventData {
  const { invoke: actorId, result } = event;
  switch (result.kind) {
    case "done":
      return {
        type: `xstate.done.actor.${actorId}`,
        ...(result.output === undefined ? {} : { output: result.output }),
        actorId,
      };
    case "error":
      return { type: `xstate.error.actor.${actorId}`, error: result.error, actorId };
    case "sent":
      return result.event;
  }
}

function refused(event: EventData, reason: DeadLetterReason): StepResult {
  return { outcome: "dead-letter", event, reason, error: null };
}

function guarded(event: EventData, work: () => StepResult): StepResult {
  try {
    return work();
  } catch (error) {
    return { outcome: "dead-letter", event, reason: "threw", error: errorData(error) };
  }
}
