import type { ActorState } from "./actor-state.ts";
import type { Json } from "../json.ts";

/** How often a journal row holds the whole state, in revisions: what reading the past costs at most. */
export const wholeStateEvery = 50;

/**
 * What a transition changed, for the journal: the whole state at the first revision and at every
 * {@link wholeStateEvery}-th, else the parts that differ. `set` and `unset` speak of paths one level
 * deep below `snapshot`, `snapshot.context`, `invokes` and `timers`.
 */
export type StateChange =
  | { readonly whole: ActorState }
  | {
    readonly set: { readonly [part in ChangedPart]?: { readonly [key: string]: Json } };
    readonly unset: { readonly [part in ChangedPart]?: readonly string[] };
  };

/** The parts of a state that are compared key by key. */
export type ChangedPart = "snapshot" | "context" | "invokes" | "timers";

/** Describes how `after` differs from `before`; both are plain data. */
export function describeChange(
  before: ActorState | null,
  after: ActorState,
  revision: number,
): StateChange {
  if (before === null || revision % wholeStateEvery === 0 || !mergeable(before, after)) {
    return { whole: after };
  }
  const set: { [part in ChangedPart]?: { [key: string]: Json } } = {};
  const unset: { [part in ChangedPart]?: string[] } = {};
  const [old, next] = [partsOf(before), partsOf(after)];
  for (const part of changedParts) {
    const [from, to] = [old[part], next[part]];
    for (const [key, value] of Object.entries(to)) {
      if (JSON.stringify(from[key]) !== JSON.stringify(value)) (set[part] ??= {})[key] = value;
    }
    for (const key of Object.keys(from)) if (!(key in to)) (unset[part] ??= []).push(key);
  }
  return { set, unset };
}

/** Applies a change to the state before it. `whole` needs none. */
export function applyChange(before: ActorState | null, change: StateChange): ActorState {
  if ("whole" in change) return change.whole;
  if (before === null) {
    throw new RangeError("Cannot apply a partial change without a state before it");
  }
  const parts = partsOf(before);
  for (const part of changedParts) {
    for (const key of change.unset[part] ?? []) delete parts[part][key];
    Object.assign(parts[part], change.set[part] ?? {});
  }
  return {
    snapshot: { ...parts.snapshot, context: parts.context },
    invokes: parts.invokes,
    timers: parts.timers,
  } as unknown as ActorState;
}

const changedParts: readonly ChangedPart[] = ["snapshot", "context", "invokes", "timers"];

type Parts = { [part in ChangedPart]: { [key: string]: Json } };

function partsOf(state: ActorState): Parts {
  const { context, ...snapshot } = state.snapshot;
  return {
    snapshot: snapshot as unknown as Parts["snapshot"],
    context: { ...(context as Parts["context"]) },
    invokes: { ...state.invokes } as unknown as Parts["invokes"],
    timers: { ...state.timers } as unknown as Parts["timers"],
  };
}

/** A context need not be an object; one that is not is kept whole. */
function mergeable(before: ActorState, after: ActorState): boolean {
  return [before.snapshot.context, after.snapshot.context].every((context) =>
    typeof context === "object" && context !== null && !Array.isArray(context)
  );
}
