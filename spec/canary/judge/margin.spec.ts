import * as assert from "uvu/assert";
import { marginJudge } from "../../../runtime/canary/judge/margin.ts";
import type { JudgedOutcome } from "../../../runtime/canary/judge/judge.ts";
import { suite } from "../../harness.ts";
import { marginPolicy, ofCanary, ofCurrent, times } from "./outcomes.ts";

const test = suite("canary/judge/margin");

function verdictOf(outcomes: readonly JudgedOutcome[], fields = {}) {
  const judge = marginJudge(marginPolicy({ minOutcomes: 2, ...fields }));
  return judge.fold(judge.start(), outcomes).verdict;
}

test("margin rejects a mean that is lower by more than the margin, and promotes every other", () => {
  const current = times(2, ofCurrent(1));
  assert.is(verdictOf([...current, ofCanary(0), ofCanary(1)])?.decision, "reject");
  assert.is(
    verdictOf([...current, ofCanary(0.5), ofCanary(1)], { margin: 0.25 })?.decision,
    "promote",
  );
  assert.is(
    verdictOf([...current, ofCanary(0.5), ofCanary(1)], { margin: 0.24 })?.decision,
    "reject",
  );
  assert.is(verdictOf([...times(2, ofCurrent(0)), ofCanary(1), ofCanary(1)])?.decision, "promote");
});

test("margin looks once, at the first outcome with which both sides have enough", () => {
  const early = [ofCanary(1), ofCanary(1), ofCurrent(1), ofCurrent(1)];
  assert.equal(verdictOf([...early, ...times(50, ofCanary(0))]), {
    decision: "promote",
    basis: "margin",
    at: 4,
  });
  assert.is(verdictOf(early.slice(0, 3)), null);
});

test("margin takes lower scores for better ones where the policy says so", () => {
  const outcomes = [...times(2, ofCurrent(0.1)), ...times(2, ofCanary(0.9))];
  assert.is(verdictOf(outcomes, { better: "lower" })?.decision, "reject");
  const judge = marginJudge(marginPolicy({ minOutcomes: 2, better: "lower" }));
  const { canary, current, difference } = judge.evidence(
    judge.fold(judge.start(), outcomes).state,
  );
  assert.ok(Math.abs((canary.mean ?? 0) - 0.9) < 1e-12);
  assert.ok(Math.abs((current.mean ?? 0) - 0.1) < 1e-12);
  assert.ok(Math.abs((difference ?? 0) + 0.8) < 1e-12);
});
