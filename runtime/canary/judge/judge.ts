import { SidecanaryError } from "../../errors.ts";
import type { Evidence } from "./evidence.ts";

/** One unit's outcome, as a judge takes it. */
export interface JudgedOutcome {
  readonly arm: "canary" | "current";
  /** From 0 to 1. */
  readonly score: number;
  /** The probability of the arm `canary` at the draw, between 0 and 1; as in the assignment. */
  readonly propensity: number;
  /**
   * When the unit was routed, in ms since the epoch.
   * @default unknown: it counts
   */
  readonly assignedAt?: number;
}

/** A verdict: the end of a trial. */
export interface Verdict {
  readonly decision: "reject" | "promote";
  /** `evidence`: a bound was crossed. `horizon`: by the policy for undecided ones. `margin`: by the means. */
  readonly basis: "evidence" | "horizon" | "margin";
  /** After how many outcomes, both arms together. */
  readonly at: number;
}

/**
 * Why a canary should be held. `horizon`: it is undecided at the horizon; a later verdict still
 * counts. `sample-ratio`: the arms' sizes do not fit the propensity, so the outcomes cannot be
 * trusted.
 */
export interface Hold {
  readonly why: "horizon" | "sample-ratio";
  /** After how many outcomes. */
  readonly at: number;
}

/** What is known when a trial begins. */
export interface TrialStart {
  /**
   * What the current version's outcomes were before.
   * @default unknown
   */
  readonly history?: { readonly mean: number; readonly count: number };
  /**
   * Outcomes of units that were routed before do not count, in ms since the epoch.
   * @default all count
   */
  readonly since?: number;
}

/** The part of a state that every judge has. Plain data, of a size that does not grow. */
export interface JudgedState {
  readonly judge: string;
  /** Set once, and never changed. */
  readonly verdict: Verdict | null;
  /** The first of each kind, in their order. */
  readonly holds: readonly Hold[];
  /** Outcomes that came after the verdict and changed nothing. */
  readonly late: number;
}

/** What a fold comes to. */
export interface Folded<State> {
  readonly state: State;
  /** The verdict that this fold has come to; `null` where there is none, or there was one before. */
  readonly verdict: Verdict | null;
  /** Holds that are new with this fold. */
  readonly holds: readonly Hold[];
}

/**
 * A rule that turns outcomes into a verdict: pure, and the same however the outcomes are cut into
 * batches. Outcomes come in the store's order, one for each unit.
 */
export interface Judge<State extends JudgedState = JudgedState> {
  /** As in the policy. */
  readonly name: string;
  /**
   * The state before the first outcome.
   *
   * @throws {SidecanaryError} `input-invalid` when the history's mean is no score
   */
  start(begin?: TrialStart): State;
  /**
   * The state after these outcomes; `state` itself is not changed. From the verdict on, outcomes are
   * counted as late and do nothing else.
   *
   * @throws {SidecanaryError} `input-invalid` when an outcome is out of range; nothing has changed then
   */
  fold(state: State, outcomes: readonly JudgedOutcome[]): Folded<State>;
  /**
   * Folds a trial again from its first outcome, after one of them was corrected. A verdict that
   * `before` holds stays what it is: the figures are those of its outcomes, and later ones are late.
   *
   * @param begin as it was given to `start`
   */
  refold(before: State, outcomes: readonly JudgedOutcome[], begin?: TrialStart): Folded<State>;
  /** What the state says, for people, for DECIDE and for history. */
  evidence(state: State): Evidence;
}

/** What a hash of 32 bits can draw with. Beyond it a single outcome would say everything. */
const LOWEST_PROPENSITY = 2 ** -32;

/** @throws {SidecanaryError} `input-invalid` when the judge cannot take the outcome */
export function checkOutcome(outcome: JudgedOutcome): void {
  const { score, propensity, arm } = outcome;
  if (!(score >= 0 && score <= 1)) throw refused("score", score, "a number from 0 to 1");
  if (!(propensity >= LOWEST_PROPENSITY && propensity <= 1 - LOWEST_PROPENSITY)) {
    throw refused(
      "propensity",
      propensity,
      "the one of the assignment, between 0 and 1; leave out what was pinned",
    );
  }
  if (arm !== "canary" && arm !== "current") throw refused("arm", arm, '"canary" or "current"');
}

/** @throws {SidecanaryError} `internal` when the state is another judge's */
export function checkJudge(state: JudgedState, judge: string): void {
  if (state.judge === judge) return;
  throw new SidecanaryError(
    "internal",
    `The state of a trial is of the judge "${state.judge}", not of "${judge}". ` +
      "A trial keeps the policy that it began with.",
    { where: "canary/judge" },
  );
}

function refused(field: string, value: unknown, wanted: string): SidecanaryError {
  return new SidecanaryError(
    "input-invalid",
    `Cannot judge an outcome whose ${field} is ${String(value)}: give ${wanted}.`,
    { source: "outcome", field },
  );
}
