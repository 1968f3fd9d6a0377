import type { Json } from "../json.ts";
import { plainJson } from "../plain-json.ts";
import type { ActorState, EventData } from "./actor-state.ts";
import { collectEffects, withoutFired } from "./collect-effects.ts";
import { effectId } from "./effect-id.ts";
import { errorData } from "./error-data.ts";
import type { Logic } from "./logic.ts";
import type { Macrostep } from "./scope.ts";
import { eventData, initEvent, resultEvent, type StepEvent } from "./step-event.ts";
import type { DeadLetterReason, Effect, StepResult } from "./step-result.ts";

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
  const base = { ...state, timers: withoutFired(state.timers, id, input.revision) };
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
