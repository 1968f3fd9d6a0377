/**
 * Whose traffic a unit is: the `canary`'s, the `current` version's, or, by a pin, that of a version
 * that is neither (`other`).
 */
export type Arm = "canary" | "current" | "other";

/**
 * Why a unit got its version. `split`: by the hash, which makes it part of the test. `no-canary`:
 * there was none. `pin`: the caller named the version. `override`: the caller named the arm.
 */
export type AssignmentReason = "split" | "no-canary" | "pin" | "override";

/**
 * Which version one unit got. Plain data: store it with the work, and hand it to retries and child
 * jobs, which belong to the same unit. Sign it where it leaves the process.
 */
export interface Assignment {
  readonly stream: string;
  readonly unit: string;
  /** The version to use. */
  readonly version: string;
  readonly arm: Arm;
  readonly reason: AssignmentReason;
  /** The canary that ran meanwhile, whichever arm this is; `null` where there was none. */
  readonly candidate: string | null;
  /** That canary's trial. */
  readonly trial: number | null;
  /** That canary's step of the ramp. */
  readonly step: number | null;
  /**
   * The probability of the arm `canary` at this draw, on both arms alike; between 0 and 1. `null`:
   * nothing was drawn, so the outcome tells of its version and is no part of the test.
   */
  readonly propensity: number | null;
  /** The revision of the stream that it was routed from. */
  readonly revision: number;
}

/** An assignment that is part of a test. */
export interface JudgedAssignment extends Assignment {
  readonly arm: "canary" | "current";
  readonly reason: "split";
  readonly candidate: string;
  readonly trial: number;
  readonly step: number;
  readonly propensity: number;
}

/** Whether the outcome of this assignment is part of the test of `assignment.candidate`. */
export function isJudged(assignment: Assignment): assignment is JudgedAssignment {
  return assignment.reason === "split" && assignment.propensity !== null;
}
