import { SidecanaryError } from "../../errors.ts";
import type { BettingPolicy } from "../policy.ts";
import { bettingEvidence } from "./betting-evidence.ts";
import type { Judge, JudgedOutcome, JudgedState, TrialStart } from "./judge.ts";
import { judgeBy } from "./judge-by.ts";
import {
  addSample,
  noSampleRatio,
  type SampleRatio,
  type SampleRatioDraft,
  sampleRatioDraft,
} from "./sample-ratio.ts";
import {
  multiply,
  type Wealth,
  type WealthDraft,
  wealthDraft,
  wealthOf,
  wealthReaches,
} from "./wealth.ts";

/** The state of the judge `betting`: the same size after any number of outcomes. Plain data. */
export interface BettingState extends JudgedState {
  readonly judge: "betting";
  /** h₀ and k: what is taken for the mean before the first outcome, and for how many outcomes it counts. */
  readonly priorMean: number;
  readonly priorWeight: number;
  readonly since: number | null;
  readonly canaryCount: number;
  readonly canarySum: number;
  readonly currentCount: number;
  readonly currentSum: number;
  /** Σ Z and Σ Z²: Z is an unbiased estimate of the difference from one outcome. */
  readonly estimateSum: number;
  readonly estimateSquares: number;
  /** K_g, against "the canary is not worse by more than δ_r". */
  readonly reject: Wealth;
  /** P_g, against "the canary is worse by at least δ_p". */
  readonly promote: Wealth;
  /** After how many outcomes the bound was crossed first. */
  readonly rejectCrossedAt: number | null;
  readonly promoteCrossedAt: number | null;
  readonly ratio: SampleRatio;
  readonly ratioCrossedAt: number | null;
  /** After how many outcomes the horizon was reached, with enough of both arms. */
  readonly horizonAt: number | null;
}

/** A state that is being folded. */
type BettingDraft = { -readonly [Key in keyof BettingState]: BettingState[Key] } & {
  readonly reject: WealthDraft;
  readonly promote: WealthDraft;
  readonly ratio: SampleRatioDraft;
};

/** Sizes of the bets: `.9 × 2⁻ᵍ` of the largest that cannot lose all. */
const BETS = [0.9, 0.45, 0.225, 0.1125, 0.05625, 0.028125] as const;
const LOWEST_CENTRE = 0.02;
const HIGHEST_CENTRE = 0.98;
const HISTORY_WEIGHT = 20;

/**
 * The default judge. It bets on the arm that each unit was randomly assigned to, with the known
 * propensity π: with the centre h from what came before and
 * `Z = (Y − h)/π` for the canary, `−(Y − h)/(1 − π)` for the current version,
 *
 *     reject:  K_g ×= 1 − λ_g (Z + δ_r),  λ_g = .9 · 2⁻ᵍ / (max((1−h)/π, h/(1−π)) + δ_r)
 *     promote: P_g ×= 1 + λ_g (Z + δ_p),  λ_g = .9 · 2⁻ᵍ / (max(h/π, (1−h)/(1−π)) − δ_p)
 *
 * for g = 0…5. The mean over g is an e-process: a canary that is no worse than δ_r has a mean K that
 * ever reaches 1/α with a probability of at most α, however often it is looked at, whatever the ramp
 * and the drift. Both bounds crossed by one outcome reject. Until both arms have `minOutcomes`, a
 * crossing is remembered and decides then.
 *
 * Sources: I. Waudby-Smith, A. Ramdas, "Estimating means of bounded random variables by betting"
 * (JRSSB 2024); R. Turner, A. Ly, P. Grünwald, "Generic e-variables for exact sequential k-sample
 * tests" (2024); Ville's inequality.
 */
export function bettingJudge(policy: BettingPolicy): Judge<BettingState> {
  const { rejectMargin, promoteMargin, minOutcomes, horizon, sampleRatioBound } = policy;
  const rejectBound = 1 / policy.rejectError;
  const promoteBound = 1 / policy.promoteError;
  const logRatio = sampleRatioBound === null ? Infinity : Math.log(sampleRatioBound);
  const isHigherBetter = policy.better === "higher";

  function take(state: BettingDraft, { arm, score, propensity }: JudgedOutcome): void {
    const isCanary = arm === "canary";
    const y = isHigherBetter ? score : 1 - score;
    const count = state.canaryCount + state.currentCount;
    const sum = state.canarySum + state.currentSum;
    const mean = (sum + state.priorMean * state.priorWeight) / (count + state.priorWeight);
    const h = Math.min(HIGHEST_CENTRE, Math.max(LOWEST_CENTRE, mean));
    const other = 1 - propensity;
    const z = isCanary ? (y - h) / propensity : (h - y) / other;
    const up = Math.max((1 - h) / propensity, h / other);
    const down = Math.max(h / propensity, (1 - h) / other);
    const harm = (z + rejectMargin) / (up + rejectMargin);
    const safety = (z + promoteMargin) / (down - promoteMargin);
    const { reject, promote } = state;
    for (let g = 0; g < BETS.length; g++) {
      const bet = BETS[g] as number;
      multiply(reject, g, 1 - bet * harm);
      multiply(promote, g, 1 + bet * safety);
    }
    if (isCanary) {
      state.canaryCount++;
      state.canarySum += y;
    } else {
      state.currentCount++;
      state.currentSum += y;
    }
    state.estimateSum += z;
    state.estimateSquares += z * z;
    addSample(state.ratio, isCanary, propensity);
  }

  /** What this outcome has shown, whether it decides or not. */
  function note(state: BettingDraft): void {
    const { canaryCount, currentCount } = state;
    const at = canaryCount + currentCount;
    if (state.rejectCrossedAt === null && wealthReaches(state.reject, rejectBound)) {
      state.rejectCrossedAt = at;
    }
    if (state.promoteCrossedAt === null && wealthReaches(state.promote, promoteBound)) {
      state.promoteCrossedAt = at;
    }
    if (state.ratioCrossedAt === null && state.ratio.logE >= logRatio) state.ratioCrossedAt = at;
    if (
      state.horizonAt === null && horizon !== null && canaryCount >= horizon.outcomes &&
      canaryCount >= minOutcomes && currentCount >= minOutcomes
    ) state.horizonAt = at;
  }

  function decide(state: BettingDraft): void {
    const { canaryCount, currentCount } = state;
    const at = canaryCount + currentCount;
    if (state.ratioCrossedAt === at) state.holds = [...state.holds, { why: "sample-ratio", at }];
    if (canaryCount < minOutcomes || currentCount < minOutcomes) return;
    if (state.rejectCrossedAt !== null) {
      state.verdict = { decision: "reject", basis: "evidence", at };
    } else if (state.promoteCrossedAt !== null) {
      state.verdict = { decision: "promote", basis: "evidence", at };
    } else if (state.horizonAt === at && horizon !== null) {
      const decision = atHorizon(horizon.then, state.estimateSum / at >= -promoteMargin);
      if (decision === "hold") state.holds = [...state.holds, { why: "horizon", at }];
      else state.verdict = { decision, basis: "horizon", at };
    }
  }

  return judgeBy<BettingState, BettingDraft>({
    name: "betting",
    start: (begin) => startBetting(begin, isHigherBetter),
    draft: draftOf,
    state: (draft) => draft,
    since: ({ since }) => since,
    count: ({ canaryCount, currentCount }) => canaryCount + currentCount,
    take(state, outcome) {
      take(state, outcome);
      note(state);
    },
    decide,
    evidence: (state) => bettingEvidence(policy, state),
  });
}

function startBetting({ history, since }: TrialStart, isHigherBetter: boolean): BettingState {
  const known = history !== undefined && history.count > 0 ? history : { mean: 0.5, count: 2 };
  if (!(known.mean >= 0 && known.mean <= 1 && Number.isFinite(known.count))) {
    throw new SidecanaryError(
      "input-invalid",
      `Cannot begin a trial: the history's mean is ${known.mean} over ${known.count} outcomes. ` +
        "Give a mean from 0 to 1, or no history.",
      { source: "history", field: "mean" },
    );
  }
  return {
    judge: "betting",
    priorMean: isHigherBetter ? known.mean : 1 - known.mean,
    priorWeight: Math.min(HISTORY_WEIGHT, known.count),
    since: since ?? null,
    canaryCount: 0,
    canarySum: 0,
    currentCount: 0,
    currentSum: 0,
    estimateSum: 0,
    estimateSquares: 0,
    reject: wealthOf(BETS.length),
    promote: wealthOf(BETS.length),
    rejectCrossedAt: null,
    promoteCrossedAt: null,
    ratio: noSampleRatio,
    ratioCrossedAt: null,
    horizonAt: null,
    verdict: null,
    holds: [],
    late: 0,
  };
}

/** Field by field, because a spread takes longer than the outcome. */
function draftOf(state: BettingState): BettingDraft {
  return {
    judge: state.judge,
    priorMean: state.priorMean,
    priorWeight: state.priorWeight,
    since: state.since,
    canaryCount: state.canaryCount,
    canarySum: state.canarySum,
    currentCount: state.currentCount,
    currentSum: state.currentSum,
    estimateSum: state.estimateSum,
    estimateSquares: state.estimateSquares,
    reject: wealthDraft(state.reject),
    promote: wealthDraft(state.promote),
    rejectCrossedAt: state.rejectCrossedAt,
    promoteCrossedAt: state.promoteCrossedAt,
    ratio: sampleRatioDraft(state.ratio),
    ratioCrossedAt: state.ratioCrossedAt,
    horizonAt: state.horizonAt,
    verdict: state.verdict,
    holds: state.holds,
    late: state.late,
  };
}

type Horizon = NonNullable<BettingPolicy["horizon"]>;

function atHorizon(then: Horizon["then"], isNoWorse: boolean): "promote" | "hold" | "reject" {
  if (then !== "promote-if-no-worse") return then;
  return isNoWorse ? "promote" : "hold";
}
