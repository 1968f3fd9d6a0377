import type {
  CanaryEnding,
  CanaryVersionEvent,
  CanaryVersionInput,
  CanaryVersionOutput,
  Cause,
} from "./events.ts";

/** What a version remembers. */
export interface CanaryVersionContext {
  readonly stream: string;
  readonly version: string;
  readonly first: boolean;
  readonly expireMs: number;
  readonly watchMs: number;
  readonly onExpire: CanaryEnding;
  readonly onSupersede: CanaryEnding;
  /** How often it was started as a canary. */
  readonly trial: number;
  /** Why the canary is held, `null` where it is not. */
  readonly held: Cause & { readonly blocks: boolean } | null;
  /** A promotion that the judge has decided and that waits for RESUME. */
  readonly waiting: Cause | null;
  /** What led to the state that it is in. */
  readonly cause: Cause;
  /** How it has ended, `null` while it has not. */
  readonly end: CanaryVersionOutput["end"] | null;
}

const WEEK_MS = 7 * 24 * 60 * 60 * 1000;

/**
 * The context a version begins with.
 *
 * @throws RangeError when a time is not a number of milliseconds, or a canary would never expire
 */
export function contextFrom(input: CanaryVersionInput): CanaryVersionContext {
  const {
    stream,
    version,
    by,
    first = false,
    expireMs = WEEK_MS,
    watchMs = 0,
    onExpire = "reject",
    onSupersede = "reject",
  } = input;
  if (!(Number.isFinite(expireMs) && expireMs > 0)) {
    throw new RangeError(
      `expireMs of ${version} is ${expireMs}: give milliseconds above 0, a canary must end`,
    );
  }
  if (!(Number.isFinite(watchMs) && watchMs >= 0)) {
    throw new RangeError(`watchMs of ${version} is ${watchMs}: give milliseconds, or 0 for none`);
  }
  return {
    stream,
    version,
    first,
    expireMs,
    watchMs,
    onExpire,
    onSupersede,
    trial: 0,
    held: null,
    waiting: null,
    cause: { by, reason: "published", evidence: null },
    end: null,
  };
}

/**
 * What caused the transition that `event` leads to. A timer says nothing of itself: a canary expires
 * with the evidence that it was held with, if any.
 */
export function causeOf(context: CanaryVersionContext, event: { readonly type: string }): Cause {
  if (event.type.startsWith("xstate.after.")) {
    const reason = event.type.includes(".watch.") ? "watched" : "expired";
    return { by: "timer", reason, evidence: context.held?.evidence ?? null };
  }
  if (event.type.startsWith("xstate.")) return context.cause;
  const { by, reason, evidence = null } = event as CanaryVersionEvent;
  return { by, reason, evidence };
}

/** Whether the event is meant for the trial that runs. */
export function isThisTrial(context: CanaryVersionContext, trial: number | undefined): boolean {
  return trial === undefined || trial === context.trial;
}

/**
 * The output of a version whose life is over.
 *
 * @throws RangeError before that
 */
export function outputOf(context: CanaryVersionContext): CanaryVersionOutput {
  const { stream, version, cause, end } = context;
  if (end === null) throw new RangeError(`${version} has not ended`);
  return { stream, version, end, ...cause };
}
