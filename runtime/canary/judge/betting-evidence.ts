import type { BettingPolicy } from "../policy.ts";
import type { BettingState } from "./betting.ts";
import type { BoundEvidence, Evidence, Missing } from "./evidence.ts";
import { armEvidence, eValue, missingOutcomes } from "./figures.ts";
import { logWealth } from "./wealth.ts";

/** What the state of the judge `betting` says. */
export function bettingEvidence(policy: BettingPolicy, state: BettingState): Evidence {
  const { minOutcomes, horizon, better, sampleRatioBound } = policy;
  const { canaryCount, currentCount, verdict } = state;
  const count = canaryCount + currentCount;
  const difference = count === 0 ? null : state.estimateSum / count;
  const variance = difference === null
    ? 0
    : Math.max(0, state.estimateSquares / count - difference ** 2);
  const canary = armEvidence(canaryCount, state.canarySum, minOutcomes, better);
  const current = armEvidence(currentCount, state.currentSum, minOutcomes, better);
  const logs = { reject: logWealth(state.reject), promote: logWealth(state.promote) };
  const bound = { reject: 1 / policy.rejectError, promote: 1 / policy.promoteError };
  const bounds: BoundEvidence[] = [
    boundOf("reject", logs.reject, bound.reject, state.rejectCrossedAt),
    boundOf("promote", logs.promote, bound.promote, state.promoteCrossedAt),
  ];
  if (sampleRatioBound !== null) {
    bounds.push(boundOf("sample-ratio", state.ratio.logE, sampleRatioBound, state.ratioCrossedAt));
  }
  const missing: Missing[] = [];
  if (verdict === null) {
    missing.push(...missingOutcomes(canary, current));
    const crossed = { reject: state.rejectCrossedAt, promote: state.promoteCrossedAt };
    for (const bet of ["reject", "promote"] as const) {
      if (crossed[bet] !== null) continue;
      const logFactor = Math.log(bound[bet]) - logs[bet];
      const effect = bet === "reject"
        ? -(difference ?? 0) - policy.rejectMargin
        : (difference ?? 0) + policy.promoteMargin;
      const outcomes = canaryOutcomes(logFactor, effect, variance, state.ratio.propensity);
      missing.push({ what: "evidence", of: bet, factor: eValue(logFactor), outcomes });
    }
  }
  return {
    judge: "betting",
    canary,
    current,
    difference,
    interval: difference === null ? null : intervalOf(difference, variance, count),
    bounds,
    horizonIn: verdict !== null || horizon === null || state.horizonAt !== null
      ? null
      : Math.max(0, horizon.outcomes - canaryCount),
    missing,
    holds: state.holds,
    verdict,
    late: state.late,
  };
}

function boundOf(
  of: BoundEvidence["of"],
  logE: number,
  bound: number,
  crossedAt: number | null,
): BoundEvidence {
  return { of, e: eValue(logE), bound, crossedAt };
}

/** π · 2V ln(factor) / effect²: how long a bet of the best size takes on average. */
function canaryOutcomes(
  logFactor: number,
  effect: number,
  variance: number,
  propensity: number | null,
): number | null {
  if (propensity === null || effect <= 0 || variance === 0) return null;
  const outcomes = Math.ceil(propensity * 2 * variance * logFactor / effect ** 2);
  return outcomes > 1_000_000 ? null : outcomes;
}

/**
 * An asymptotic confidence sequence for the difference, 95 %, tightest around 500 outcomes.
 *
 * Source: I. Waudby-Smith et al., "Time-uniform central limit theory and asymptotic confidence
 * sequences" (2024), equation 9.
 */
function intervalOf(
  difference: number,
  variance: number,
  count: number,
): readonly [number, number] | null {
  if (count < 2) return null;
  const error = 0.05;
  const rho2 = (-2 * Math.log(error) + Math.log(1 - 2 * Math.log(error))) / 500;
  const spread = count * rho2 + 1;
  const width = Math.sqrt(
    variance * 2 * spread / (count ** 2 * rho2) * Math.log(Math.sqrt(spread) / error),
  );
  return [Math.max(-1, difference - width), Math.min(1, difference + width)];
}
