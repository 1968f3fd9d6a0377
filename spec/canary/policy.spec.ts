import * as assert from "uvu/assert";
import { parseCanaryPolicy } from "../../runtime/canary/policy.ts";
import { nextStep, shareOfStep } from "../../runtime/canary/ramp.ts";
import { isSidecanaryError } from "../../runtime/errors.ts";
import { suite } from "../harness.ts";

const test = suite("canary/policy");

test("an empty policy is off, and has every default", () => {
  const policy = parseCanaryPolicy({}, "sidecanary.json");
  assert.equal(policy, {
    enabled: false,
    start: "manual",
    share: 0.1,
    ramp: [],
    unit: "key",
    judge: {
      kind: "betting",
      better: "higher",
      rejectError: 0.05,
      rejectMargin: 0,
      promoteError: 0.05,
      promoteMargin: 0.05,
      minOutcomes: 5,
      horizon: { outcomes: 100, then: "promote-if-no-worse" },
      sampleRatioBound: 1_000,
    },
    expireMs: 604_800_000,
    onExpire: "reject",
    onSupersede: "reject",
    watchMs: 0,
    deadline: null,
  });
  assert.equal(parseCanaryPolicy(policy, "again"), policy);
  assert.equal(parseCanaryPolicy({ judge: { kind: "margin" } }, "m").judge, {
    kind: "margin",
    better: "higher",
    margin: 0.2,
    minOutcomes: 30,
    sampleRatioBound: 1_000,
  });
});

test("an error names the field and what it should be", () => {
  const wrong: readonly (readonly [unknown, string | undefined, RegExp])[] = [
    [{ share: 1 }, "share", /share must be below 1: .*nothing is left to compare/],
    [{ share: 0 }, "share", /share must be a number between 0 and 1/],
    [{ share: "10%" }, "share", /share must be a number/],
    [{ enabled: "yes" }, "enabled", /enabled must be true or false/],
    [{ colour: 1 }, "colour", /colour is not a field of a policy/],
    [{ judge: { kind: "betting", alpha: 0.1 } }, "judge.alpha", /judge.alpha is not a field/],
    [{ judge: { kind: "betting", rejectError: 0 } }, "judge.rejectError", /above 0 and below 1/],
    [{ judge: { kind: "betting", promoteMargin: 0 } }, "judge.promoteMargin", /above 0/],
    [{ judge: { kind: "betting", minOutcomes: 0 } }, "judge.minOutcomes", /whole number from 1/],
    [
      { judge: { kind: "betting", horizon: { then: "wait" } } },
      "judge.horizon.then",
      /must be one of/,
    ],
    [{ judge: { kind: "coin" } }, "judge.kind", /"betting" or "margin"/],
    [{ expireMs: 0 }, "expireMs", /milliseconds above 0/],
    [{ expireMs: Infinity }, "expireMs", /milliseconds above 0/],
    [{ watchMs: -1 }, "watchMs", /or 0 for none/],
    [{ ramp: [{ share: 0.01 }] }, "ramp.0", /must have outcomes or forMs/],
    [{ ramp: [{ share: 0.2, outcomes: 5 }] }, "ramp", /must rise/],
    [{ deadline: { afterMs: 1, score: 2 } }, "deadline.score", /score from 0 to 1/],
    [{ onExpire: "promote" }, "onExpire", /"reject" or "shelve"/],
    [null, undefined, /it must be a policy: an object/],
  ];
  for (const [input, field, message] of wrong) {
    try {
      parseCanaryPolicy(input, "sidecanary.json");
      assert.unreachable(JSON.stringify(input));
    } catch (error) {
      assert.ok(isSidecanaryError(error, "config-invalid"), String(error));
      assert.is(error.details.field, field);
      assert.is(error.details.path, "sidecanary.json");
      assert.match(error.message, message);
    }
  }
});

test("a ramp goes on by outcomes or by time, one step at a time, and not while it is held", () => {
  const policy = parseCanaryPolicy({
    share: 0.5,
    ramp: [{ share: 0.01, outcomes: 20 }, { share: 0.1, outcomes: 50, forMs: 1_000 }],
  }, "t");
  assert.equal([0, 1, 2, 3].map((step) => shareOfStep(policy, step)), [0.01, 0.1, 0.5, 0.5]);
  const at = (step: number, outcomes: number, elapsedMs: number, held = false) =>
    nextStep(policy, { step, outcomes, elapsedMs, held });
  assert.is(at(0, 19, 1e9), 0);
  assert.is(at(0, 500, 0), 1);
  assert.is(at(1, 49, 999), 1);
  assert.is(at(1, 50, 0), 2);
  assert.is(at(1, 0, 1_000), 2);
  assert.is(at(1, 50, 1_000, true), 1);
  assert.is(at(2, 1e9, 1e9), 2);
});
