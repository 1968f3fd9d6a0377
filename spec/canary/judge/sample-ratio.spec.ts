import * as assert from "uvu/assert";
import { bettingJudge } from "../../../runtime/canary/judge/betting.ts";
import {
  addSample,
  noSampleRatio,
  type SampleRatioDraft,
  sampleRatioDraft,
} from "../../../runtime/canary/judge/sample-ratio.ts";
import { suite } from "../../harness.ts";
import { bettingPolicy, ofCanary, ofCurrent, times } from "./outcomes.ts";

const test = suite("canary/judge/sample-ratio");

/** A ratio after so many outcomes of each arm. */
function sampled(canary: number, current: number, propensity: number): SampleRatioDraft {
  const ratio = sampleRatioDraft(noSampleRatio);
  for (let n = 0; n < canary; n++) addSample(ratio, true, propensity);
  for (let n = 0; n < current; n++) addSample(ratio, false, propensity);
  return ratio;
}

test("the sample ratio's e-values are the published form's, in any order", () => {
  const vectors = [
    [60, 40, 0.5, 0.65889182],
    [80, 920, 0.1, 1.02420768],
    [150, 850, 0.1, 9.86711686],
    [100, 900, 0.1, -1.20660480],
  ] as const;
  for (const [canary, current, propensity, wanted] of vectors) {
    assert.ok(Math.abs(sampled(canary, current, propensity).logE - wanted) < 1e-8);
    const mixed = sampleRatioDraft(noSampleRatio);
    for (let left = canary, rest = current; left + rest > 0;) {
      const isCanary = left * current >= rest * canary;
      addSample(mixed, isCanary, propensity);
      if (isCanary) left--;
      else rest--;
    }
    assert.equal([mixed.canary, mixed.current], [canary, current]);
    assert.ok(Math.abs(mixed.logE - wanted) < 1e-8, "in another order");
  }
});

test("with another propensity the counts begin anew and the e-values multiply", () => {
  const ratio = sampled(60, 0, 0.5);
  const first = ratio.logE;
  for (let n = 0; n < 15; n++) addSample(ratio, n < 10, 0.1);
  assert.ok(Math.abs(ratio.logE - first - sampled(10, 5, 0.1).logE) < 1e-12);
});

test("the check expects exactly 1 of every next outcome", () => {
  for (const propensity of [0.01, 0.1, 0.5, 0.9]) {
    for (const [canary, current] of [[0, 0], [5, 1], [1, 50], [200, 3]] as const) {
      const ratio = sampled(canary, current, propensity);
      const factor = (isCanary: boolean) => {
        const next = sampleRatioDraft(ratio);
        addSample(next, isCanary, propensity);
        return Math.exp(next.logE - ratio.logE);
      };
      const expected = propensity * factor(true) + (1 - propensity) * factor(false);
      assert.ok(Math.abs(expected - 1) < 1e-12);
    }
  }
});

test("arms that do not fit the share hold once, decide nothing, and do not stop the judge", () => {
  const judge = bettingJudge(bettingPolicy({ sampleRatioBound: 1_000, promoteError: 1e-300 }));
  const lopsided = [...times(120, ofCanary(1)), ...times(20, ofCurrent(1))];
  const { state, holds, verdict } = judge.fold(judge.start(), lopsided);
  assert.equal(holds.map(({ why }) => why), ["sample-ratio"]);
  assert.is(verdict, null);
  const after = judge.fold(state, times(40, ofCanary(0), ofCurrent(1)));
  assert.equal(after.holds, []);
  assert.is(after.verdict?.decision, "reject");
  const unchecked = bettingJudge(bettingPolicy({ sampleRatioBound: null }));
  assert.equal(unchecked.fold(unchecked.start(), lopsided).holds, []);
});
