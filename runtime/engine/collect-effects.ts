import { SidecanaryError } from "../errors.ts";
import type { Json } from "../json.ts";
import type { ActorState, EventData, LiveInvoke, PendingTimer } from "./actor-state.ts";
import { effectId } from "./effect-id.ts";
import type { CapturedAction, Macrostep } from "./scope.ts";
import type { StepInput } from "./step.ts";
import type { Effect } from "./step-result.ts";

/** What a macrostep asks for, and which invokes and timers live after it. */
export interface CollectedEffects {
  readonly effects: readonly Effect[];
  readonly tells: readonly { readonly to: string; readonly event: EventData }[];
  readonly invokes: { readonly [id: string]: LiveInvoke };
  readonly timers: { readonly [id: string]: PendingTimer };
}

/**
 * Turns the actions of a macrostep into effects as data, in order. An invoke that is entered and left
 * in one macrostep never starts, as in xstate.
 *
 * @throws {SidecanaryError} `machine-refused` for what the engine does not run, `event-refused` for a
 * `tell` with wrong params
 */
export function collectEffects(
  input: StepInput,
  before: ActorState,
  macrostep: Macrostep,
): CollectedEffects {
  const tells: { to: string; event: EventData }[] = [];
  const invokes = new Map(Object.entries(before.invokes));
  const timers = new Map(Object.entries(before.timers));
  const started = new Map<string, Effect>();
  let effects: Effect[] = [];
  let unnamed = 0, shadowed = 0;
  for (const action of macrostep.actions) {
    switch (action.type) {
      case "xstate.spawnChild": {
        const { id, src, input: given } = action.params as SpawnParams;
        if (!isInvoke(input, id, src)) throw refused(input, `a spawn of "${String(id)}"`);
        const effect: Effect = { kind: "invoke", invoke: id, src, input: (given ?? null) as Json };
        effects.push(effect);
        started.set(id, effect);
        break;
      }
      case "xstate.stopChild": {
        const id = (action.params as { readonly id: string } | undefined)?.id;
        if (id === undefined) break;
        const young = started.get(id);
        if (young === undefined) invokes.delete(id);
        effects = effects.filter((effect) => effect !== young);
        started.delete(id);
        break;
      }
      case "xstate.raise": {
        const { id, event, delay } = action.params as RaiseParams;
        // Without a delay xstate has queued and applied it within this macrostep.
        if (typeof delay !== "number") break;
        if (!Number.isFinite(delay)) throw refused(input, `the delay ${delay}`);
        const key = id ?? `raise:${input.revision}:${unnamed++}`;
        shadowTimer(timers, key, `${input.revision}.${shadowed++}`);
        const due = input.now + Math.max(0, delay);
        timers.set(key, { revision: input.revision, due, event });
        break;
      }
      case "xstate.cancel":
        timers.delete((action.params as { readonly sendId: string }).sendId);
        break;
      case "xstate.emit":
        effects.push({ kind: "announce", event: (action.params as EmitParams).event });
        break;
      case "tell":
        tells.push(tellOf(input, action));
        break;
      case "xstate.sendTo":
      case "xstate.log":
        throw refused(input, `${action.type.slice("xstate.".length)}()`);
      default:
        effects.push(namedAction(input, action));
    }
  }
  const unknown = macrostep.spawned.filter((id) => !started.has(id));
  if (unknown.length > 0) throw refused(input, `a spawn of "${unknown.join('", "')}"`);
  effects.forEach((effect, index) => {
    if (effect.kind !== "invoke") return;
    invokes.set(effect.invoke, {
      src: effect.src,
      effect: effectId(input.actor, input.revision, index),
      input: effect.input,
    });
  });
  return {
    effects,
    tells,
    invokes: Object.fromEntries(invokes),
    timers: Object.fromEntries(timers),
  };
}

/**
 * xstate's scheduler lets a delayed event that is set again under its id fire as well: only the last
 * one can be cancelled. The earlier one goes on under a name that nothing cancels.
 */
function shadowTimer(timers: Map<string, PendingTimer>, id: string, unique: string): void {
  const earlier = timers.get(id);
  if (earlier === undefined) return;
  timers.delete(id);
  timers.set(`${id}${shadowMark}${unique}`, earlier);
}

/**
 * The timers that are left when one fires. Where a shadowed one fires, xstate forgets the handle of
 * the one that was set after it, which so cannot be cancelled any more either. It goes on under the
 * name of the firing `revision`: under the fired one's its event id would be a duplicate.
 */
export function withoutFired(
  timers: ActorState["timers"],
  fired: string,
  revision: number,
): ActorState["timers"] {
  const left = new Map(Object.entries(timers));
  left.delete(fired);
  const mark = fired.lastIndexOf(shadowMark);
  if (mark >= 0) shadowTimer(left, fired.slice(0, mark), `${revision}.fired`);
  return Object.fromEntries(left);
}

const shadowMark = "#again:";

interface SpawnParams {
  readonly id: string;
  readonly src: string;
  readonly input: unknown;
}

interface RaiseParams {
  readonly id?: string;
  readonly event: EventData;
  readonly delay?: number;
}

interface EmitParams {
  readonly event: EventData;
}

function isInvoke(input: StepInput, id: unknown, src: unknown): boolean {
  return input.logic.invokeIds.has(String(id)) && typeof src === "string";
}

function namedAction(input: StepInput, action: CapturedAction): Effect {
  const { actions } = input.logic.machine.implementations;
  if (action.exec !== undefined && actions[action.type] === undefined) {
    throw refused(input, `an inline action "${action.type}" in enqueueActions()`);
  }
  return {
    kind: "action",
    type: action.type,
    params: (action.params ?? null) as Json,
    context: action.context as Json,
    event: action.event as EventData,
  };
}

function tellOf(input: StepInput, action: CapturedAction): { to: string; event: EventData } {
  const params = action.params as { readonly to?: unknown; readonly event?: unknown } | undefined;
  const event = params?.event as EventData | undefined;
  if (typeof params?.to !== "string" || typeof event?.type !== "string") {
    throw new SidecanaryError(
      "event-refused",
      `Cannot tell from actor "${input.actor}": params are ${JSON.stringify(params)}, ` +
        `but must be { to: string, event: { type: string } }`,
      { actor: input.actor, event: "tell" },
    );
  }
  if (event.type.startsWith("xstate.")) {
    throw new SidecanaryError(
      "event-refused",
      `Cannot tell "${event.type}" from actor "${input.actor}": xstate.* events are the engine's own`,
      { actor: input.actor, event: event.type },
    );
  }
  return { to: params.to, event };
}

function refused(input: StepInput, feature: string): SidecanaryError<"machine-refused"> {
  const machine = input.logic.name;
  return new SidecanaryError(
    "machine-refused",
    `Cannot run machine "${machine}" durably: actor "${input.actor}" used ${feature}`,
    { machine, node: input.actor, feature },
  );
}
