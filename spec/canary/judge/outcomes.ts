import fc from "fast-check";
import type { JudgedOutcome } from "../../../runtime/canary/judge/judge.ts";
import { parseCanaryPolicy } from "../../../runtime/canary/policy.ts";
import type {
  BettingPolicy,
  CanaryPolicyInput,
  MarginPolicy,
} from "../../../runtime/canary/policy.ts";

/** A policy of the judge `betting` with these fields, and nothing that stops it but evidence. */
export function bettingPolicy(fields: Partial<BettingPolicy> = {}): BettingPolicy {
  const { judge } = parseCanaryPolicy(
    { judge: { kind: "betting", minOutcomes: 1, horizon: null, ...fields } } as CanaryPolicyInput,
    "spec",
  );
  if (judge.kind !== "betting") throw new TypeError(judge.kind);
  return judge;
}

/** A policy of the judge `margin` with these fields. */
export function marginPolicy(fields: Partial<MarginPolicy> = {}): MarginPolicy {
  const { judge } = parseCanaryPolicy(
    { judge: { kind: "margin", minOutcomes: 3, ...fields } } as CanaryPolicyInput,
    "spec",
  );
  if (judge.kind !== "margin") throw new TypeError(judge.kind);
  return judge;
}

/** An outcome of the canary. */
export function ofCanary(score: number, propensity = 0.5): JudgedOutcome {
  return { arm: "canary", score, propensity };
}

/** An outcome of the current version. */
export function ofCurrent(score: number, propensity = 0.5): JudgedOutcome {
  return { arm: "current", score, propensity };
}

/** `count` times these outcomes. */
export function times(count: number, ...outcomes: readonly JudgedOutcome[]): JudgedOutcome[] {
  return Array.from({ length: count }, () => outcomes).flat();
}

const score = fc.oneof(fc.constantFrom(0, 1), fc.double({ min: 0, max: 1, noNaN: true }));

/** Any outcome that a judge takes. */
export const anyOutcome: fc.Arbitrary<JudgedOutcome> = fc.record({
  arm: fc.constantFrom("canary", "current"),
  score,
  propensity: fc.oneof(
    fc.constantFrom(0.1, 0.5),
    fc.double({ min: 1e-9, max: 1 - 1e-9, noNaN: true }),
  ),
});

/** Outcomes among which verdicts of both kinds, and none, are common. */
export const someOutcomes: fc.Arbitrary<JudgedOutcome[]> = fc.tuple(
  fc.integer({ min: 0, max: 4 }),
  fc.integer({ min: 0, max: 4 }),
  fc.array(fc.tuple(fc.constantFrom("canary", "current"), fc.integer({ min: 0, max: 3 }), score), {
    maxLength: 150,
  }),
).map(([canary, current, draws]) =>
  draws.map(([arm, luck, odd]) => ({
    arm,
    score: luck === 0 ? odd : luck < (arm === "canary" ? canary : current) ? 1 : 0,
    propensity: 0.5,
  }))
);
