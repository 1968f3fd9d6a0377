import type { ArmEvidence, Missing } from "./evidence.ts";

/** One arm in scores as they were recorded. `sum` is of scores of which higher ones are better. */
export function armEvidence(
  outcomes: number,
  sum: number,
  floor: number,
  better: "higher" | "lower",
): ArmEvidence {
  const mean = outcomes === 0 ? null : sum / outcomes;
  return { outcomes, mean: mean === null || better === "higher" ? mean : 1 - mean, floor };
}

/** How many outcomes the arms still need. */
export function missingOutcomes(canary: ArmEvidence, current: ArmEvidence): Missing[] {
  const missing: Missing[] = [];
  for (const [arm, { outcomes, floor }] of Object.entries({ canary, current })) {
    if (outcomes >= floor) continue;
    missing.push({
      what: "outcomes",
      arm: arm as "canary" | "current",
      count: floor - outcomes,
    });
  }
  return missing;
}

/** An e-value from its logarithm; at most the largest number there is, so that JSON can hold it. */
export function eValue(log: number): number {
  return Math.min(Number.MAX_VALUE, Math.exp(log));
}
