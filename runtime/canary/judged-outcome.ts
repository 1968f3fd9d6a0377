import { type Assignment, isJudged } from "./assignment.ts";
import type { JudgedOutcome } from "./judge/judge.ts";

/**
 * An outcome as a judge takes it, or `null` where the assignment is no part of a test: it was pinned
 * or overridden, or there was no canary.
 *
 * @param score from 0 to 1
 * @param assignedAt when the unit was routed, in ms since the epoch
 */
export function judgedOutcome(
  assignment: Assignment,
  score: number,
  assignedAt?: number,
): JudgedOutcome | null {
  if (!isJudged(assignment)) return null;
  const { arm, propensity } = assignment;
  return assignedAt === undefined
    ? { arm, score, propensity }
    : { arm, score, propensity, assignedAt };
}
