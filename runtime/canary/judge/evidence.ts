import type { Hold, Verdict } from "./judge.ts";

/** One arm's outcomes. */
export interface ArmEvidence {
  readonly outcomes: number;
  /** `null` without outcomes. */
  readonly mean: number | null;
  /** How many there must be before anything is decided. */
  readonly floor: number;
}

/**
 * An e-value beside the bound that it has to reach. Under the hypothesis that it speaks against it
 * reaches the bound with a probability of at most `1 / bound`, however often it is looked at.
 */
export interface BoundEvidence {
  /** What crossing it leads to. `sample-ratio` holds. */
  readonly of: "reject" | "promote" | "sample-ratio";
  readonly e: number;
  readonly bound: number;
  /** After how many outcomes it was crossed first, `null` where it was not. */
  readonly crossedAt: number | null;
}

/** Something that has to happen before there can be a verdict. */
export type Missing =
  | {
    readonly what: "outcomes";
    readonly arm: "canary" | "current";
    readonly count: number;
  }
  | {
    readonly what: "evidence";
    readonly of: "reject" | "promote";
    /** What the e-value has to be multiplied by. */
    readonly factor: number;
    /**
     * About how many more outcomes of the canary that takes if the arms go on to differ as they do
     * now; `null` where they do not differ in this direction.
     */
    readonly outcomes: number | null;
  };

/** What a judge's state says. Plain data: the evidence of a DECIDE, a part of history. */
export interface Evidence {
  readonly judge: string;
  readonly canary: ArmEvidence;
  readonly current: ArmEvidence;
  /**
   * By how much the canary is better, as the judge estimates it; negative: worse. `null`: unknown.
   */
  readonly difference: number | null;
  /** Where the difference lies with 95 %, asymptotically: to look at, not to decide by. */
  readonly interval: readonly [number, number] | null;
  readonly bounds: readonly BoundEvidence[];
  /** Outcomes of the canary until the policy for undecided ones applies; `null`: it never does. */
  readonly horizonIn: number | null;
  readonly missing: readonly Missing[];
  readonly holds: readonly Hold[];
  readonly verdict: Verdict | null;
  readonly late: number;
}
