import type { MarginPolicy } from "../policy.ts";
import type { Evidence } from "./evidence.ts";
import { armEvidence, eValue, missingOutcomes } from "./figures.ts";
import type { Judge, JudgedState } from "./judge.ts";
import { judgeBy } from "./judge-by.ts";
import {
  addSample,
  noSampleRatio,
  type SampleRatio,
  type SampleRatioDraft,
  sampleRatioDraft,
} from "./sample-ratio.ts";

/** The state of the judge `margin`. Plain data. */
export interface MarginState extends JudgedState {
  readonly judge: "margin";
  readonly since: number | null;
  readonly canaryCount: number;
  readonly canarySum: number;
  readonly currentCount: number;
  readonly currentSum: number;
  readonly ratio: SampleRatio;
  readonly ratioCrossedAt: number | null;
}

type MarginDraft = { -readonly [Key in keyof MarginState]: MarginState[Key] } & {
  readonly ratio: SampleRatioDraft;
};

/**
 * Compares the means of both arms once, as soon as each has its `minOutcomes`: a canary whose mean is
 * lower by more than the margin is rejected, every other one promoted. It looks once, at whatever came
 * first, and keeps no error rate: `simulateCanary` shows which it has. Outcomes of units that were
 * routed before the trial's `since` do not count, on either side.
 */
export function marginJudge(policy: MarginPolicy): Judge<MarginState> {
  const { margin, minOutcomes, better, sampleRatioBound } = policy;
  const logRatio = sampleRatioBound === null ? Infinity : Math.log(sampleRatioBound);
  const isHigherBetter = better === "higher";
  return judgeBy<MarginState, MarginDraft>({
    name: "margin",
    start: ({ since }) => ({
      judge: "margin",
      since: since ?? null,
      canaryCount: 0,
      canarySum: 0,
      currentCount: 0,
      currentSum: 0,
      ratio: noSampleRatio,
      ratioCrossedAt: null,
      verdict: null,
      holds: [],
      late: 0,
    }),
    draft: (state) => ({ ...state, ratio: sampleRatioDraft(state.ratio) }),
    state: (draft) => draft,
    since: ({ since }) => since,
    count: ({ canaryCount, currentCount }) => canaryCount + currentCount,
    take(draft, { arm, score, propensity }) {
      const y = isHigherBetter ? score : 1 - score;
      if (arm === "canary") {
        draft.canaryCount++;
        draft.canarySum += y;
      } else {
        draft.currentCount++;
        draft.currentSum += y;
      }
      addSample(draft.ratio, arm === "canary", propensity);
      if (draft.ratioCrossedAt === null && draft.ratio.logE >= logRatio) {
        draft.ratioCrossedAt = draft.canaryCount + draft.currentCount;
      }
    },
    decide(draft) {
      const { canaryCount, currentCount } = draft;
      const at = canaryCount + currentCount;
      if (draft.ratioCrossedAt === at) draft.holds = [...draft.holds, { why: "sample-ratio", at }];
      if (canaryCount < minOutcomes || currentCount < minOutcomes) return;
      const isWorse = draft.canarySum / canaryCount < draft.currentSum / currentCount - margin;
      draft.verdict = { decision: isWorse ? "reject" : "promote", basis: "margin", at };
    },
    evidence: (state) => marginEvidence(policy, state),
  });
}

function marginEvidence(policy: MarginPolicy, state: MarginState): Evidence {
  const { minOutcomes, better, sampleRatioBound } = policy;
  const { canaryCount, canarySum, currentCount, currentSum, verdict } = state;
  const canary = armEvidence(canaryCount, canarySum, minOutcomes, better);
  const current = armEvidence(currentCount, currentSum, minOutcomes, better);
  return {
    judge: "margin",
    canary,
    current,
    difference: canaryCount === 0 || currentCount === 0
      ? null
      : canarySum / canaryCount - currentSum / currentCount,
    interval: null,
    bounds: sampleRatioBound === null ? [] : [{
      of: "sample-ratio",
      e: eValue(state.ratio.logE),
      bound: sampleRatioBound,
      crossedAt: state.ratioCrossedAt,
    }],
    horizonIn: null,
    missing: verdict === null ? missingOutcomes(canary, current) : [],
    holds: state.holds,
    verdict,
    late: state.late,
  };
}
