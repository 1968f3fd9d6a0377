import { backoff, type RetryPolicy, unitFrom } from "../backoff.ts";
import type { JsonValue } from "../ports.ts";
import type { SupervisedChild, SupervisorInput, SupervisorStrategy } from "./events.ts";

/** What a supervisor remembers. */
export interface SupervisorContext {
  readonly id: string;
  readonly strategy: SupervisorStrategy;
  readonly intensity: number;
  readonly periodMs: number;
  readonly backoff: Omit<RetryPolicy, "maxAttempts"> | null;
  /** In the order of their start. */
  readonly children: readonly Required<SupervisedChild>[];
  /** When the restarts of the present period were decided, in ms since the epoch. */
  readonly restarts: readonly number[];
  /** How many restarts followed each other closely; the exponent of the backoff. */
  readonly streak: number;
  /** Children that wait for their restart, in the order of their start, and how they begin. */
  readonly pending: readonly Pending[];
  /** Children that ended and are not run again. */
  readonly gone: readonly string[];
  /** What it gave up over. */
  readonly failure: { readonly child: string; readonly error: JsonValue } | null;
}

/** A child that is to be run again. */
export interface Pending {
  readonly child: string;
  readonly mode: "resume" | "initial";
}

/** A child's end as the supervisor judges it. */
export interface Fall {
  readonly child: string;
  readonly at: number;
  readonly error: JsonValue;
  /** It ended by itself, so there is nothing to resume. */
  readonly isOver: boolean;
  /** It is a supervisor that was told to end. */
  readonly isHalted: boolean;
}

/** The context before anything happened. */
export function contextFrom(input: SupervisorInput): SupervisorContext {
  return {
    id: input.id,
    strategy: input.strategy ?? "one_for_one",
    intensity: input.intensity ?? 1,
    periodMs: input.periodMs ?? 5_000,
    backoff: input.backoff ?? null,
    children: input.children.map(({ id, restart = "transient", kind = "worker", mode }) => ({
      id,
      restart,
      kind,
      mode: kind === "supervisor" ? "initial" : mode ?? "resume",
    })),
    restarts: [],
    streak: 0,
    pending: [],
    gone: [],
    failure: null,
  };
}

/** Whether this end asks for nothing: a stranger's, or of a child that is about to be restarted anyway. */
export function isIgnored(context: SupervisorContext, { child, isHalted }: Fall): boolean {
  return isHalted || !context.children.some(({ id }) => id === child) ||
    context.pending.some((each) => each.child === child);
}

/** Whether the child stays down. */
export function staysDown(context: SupervisorContext, { child, isOver, error }: Fall): boolean {
  const { restart } = childOf(context, child);
  return restart === "temporary" || (restart === "transient" && isOver && error === null);
}

/** Whether one more restart would be more than `intensity` within the period. */
export function isTooMany(context: SupervisorContext, { at }: Fall): boolean {
  return recent(context, at).length + 1 > context.intensity;
}

/** The context once the restart is decided. */
export function decided(context: SupervisorContext, fall: Fall): SupervisorContext {
  const restarts = [...recent(context, fall.at), fall.at];
  const affected = affectedBy(context, fall.child);
  const pending = context.children.flatMap(({ id, mode }): Pending[] => {
    const known = context.pending.find((each) => each.child === id);
    if (known !== undefined) return [known];
    if (!affected.includes(id) || isTemporary(context, id)) return [];
    return [{ child: id, mode: id === fall.child && fall.isOver ? "initial" : mode }];
  });
  const streak = restarts.length > 1 ? context.streak + 1 : 1;
  const stopped = affected.filter((id) => id !== fall.child && isTemporary(context, id));
  return { ...context, restarts, streak, pending, gone: [...context.gone, ...stopped] };
}

/** The children beside the fallen one that must not run on, the last started first. */
export function toHalt(
  context: SupervisorContext,
  fall: Fall,
): readonly { readonly to: string; readonly event: { readonly type: string } }[] {
  return affectedBy(context, fall.child)
    .filter((id) => id !== fall.child && !context.pending.some((each) => each.child === id))
    .map((id) =>
      isTemporary(context, id) ? ending(context, id) : halting(context, id, "sidecanary.suspend")
    )
    .reverse();
}

/** Ends a child for good. */
export function ending(
  context: SupervisorContext,
  id: string,
): { readonly to: string; readonly event: { readonly type: string } } {
  return halting(context, id, "sidecanary.stop");
}

function halting(context: SupervisorContext, to: string, type: string) {
  return { to, event: { type: childOf(context, to).kind === "supervisor" ? "HALT" : type } };
}

/** How long to wait before the restart that was just decided, in ms. */
export function delayOf({ backoff: policy, id, streak, restarts }: SupervisorContext): number {
  if (policy === null) return 0;
  return backoff(policy, streak, unitFrom(`${id}/${restarts[restarts.length - 1]}/${streak}`));
}

/** What ended well stays ended, whatever becomes of its siblings: unlike OTP, its result is kept. */
function affectedBy({ children, gone, strategy }: SupervisorContext, child: string): string[] {
  const ids = children.map((each) => each.id).filter((id) => id === child || !gone.includes(id));
  switch (strategy) {
    case "one_for_one":
      return [child];
    case "rest_for_one":
      return ids.slice(ids.indexOf(child));
    case "one_for_all":
      return ids;
  }
}

function isTemporary(context: SupervisorContext, child: string): boolean {
  return childOf(context, child).restart === "temporary";
}

// As in OTP, a restart on the very edge of the period still counts.
function recent({ restarts, periodMs }: SupervisorContext, at: number): readonly number[] {
  return restarts.filter((time) => time >= at - periodMs);
}

function childOf({ children }: SupervisorContext, child: string): Required<SupervisedChild> {
  const found = children.find(({ id }) => id === child);
  if (found === undefined) throw new RangeError(`"${child}" is not a child`);
  return found;
}
