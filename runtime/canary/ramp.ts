import type { CanaryPolicy } from "./policy.ts";

/** Where a canary's ramp stands. */
export interface RampProgress {
  /** From 0; the last one is the policy's own share. */
  readonly step: number;
  /** Outcomes of the canary that were routed in this step. */
  readonly outcomes: number;
  /** How long the step has lasted, in ms. */
  readonly elapsedMs: number;
  /** A held canary keeps its share. */
  readonly held: boolean;
}

/** The share of a step; beyond the ramp it is the policy's own. */
export function shareOfStep(policy: Pick<CanaryPolicy, "ramp" | "share">, step: number): number {
  return policy.ramp[step]?.share ?? policy.share;
}

/**
 * The step that the canary should be in now: the next one, once the present one has had its outcomes
 * or its time; whichever comes first where both are given. At most one step further, since outcomes
 * and time count within a step.
 */
export function nextStep(policy: Pick<CanaryPolicy, "ramp">, progress: RampProgress): number {
  const { step, outcomes, elapsedMs, held } = progress;
  const present = policy.ramp[step];
  if (held || present === undefined) return step;
  const isDone = outcomes >= (present.outcomes ?? Infinity) ||
    elapsedMs >= (present.forMs ?? Infinity);
  return isDone ? step + 1 : step;
}
