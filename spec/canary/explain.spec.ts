import * as assert from "uvu/assert";
import { explain, sentenceOf } from "../../runtime/canary/explain.ts";
import { bettingJudge } from "../../runtime/canary/judge/betting.ts";
import type { JudgedOutcome } from "../../runtime/canary/judge/judge.ts";
import { marginJudge } from "../../runtime/canary/judge/margin.ts";
import type { BettingPolicy } from "../../runtime/canary/policy.ts";
import { suite } from "../harness.ts";
import { bettingPolicy, marginPolicy, ofCanary, ofCurrent, times } from "./judge/outcomes.ts";

const test = suite("canary/explain");

function explained(outcomes: readonly JudgedOutcome[], fields: Partial<BettingPolicy> = {}) {
  const judge = bettingJudge(
    bettingPolicy({
      minOutcomes: 5,
      horizon: { outcomes: 100, then: "promote-if-no-worse" },
      ...fields,
    }),
  );
  return explain(judge, judge.fold(judge.start(), outcomes).state);
}

test("explain says what is missing before there is anything", () => {
  const { sentence, missing, canary, difference, interval, horizonIn } = explained([]);
  assert.equal(canary, { outcomes: 0, mean: null, floor: 5 });
  assert.equal([difference, interval, horizonIn], [null, null, 100]);
  assert.equal(missing.slice(0, 2), [
    { what: "outcomes", arm: "canary", count: 5 },
    { what: "outcomes", arm: "current", count: 5 },
  ]);
  assert.is(
    sentence,
    "There are no outcomes yet. Before anything is decided it needs 5 more of the canary and 5 more " +
      "of the current version. For rejecting it the e-value is 1 of 20. For promoting it the e-value " +
      "is 1 of 20. The horizon is 100 outcomes of the canary away.",
  );
});

test("explain gives n, means, e-values beside their bounds, and about how many more it takes", () => {
  const life = times(12, ofCurrent(1), ofCanary(1), ofCurrent(1), ofCanary(0), ofCurrent(1));
  const { sentence, ...data } = explained(life, { rejectError: 1e-6 });
  assert.equal([data.canary.outcomes, data.canary.mean], [24, 0.5]);
  assert.equal([data.current.outcomes, data.current.mean], [36, 1]);
  assert.ok((data.difference ?? 0) < -0.3);
  const [low = 0, high = 0] = data.interval ?? [];
  assert.ok(low < (data.difference ?? 0) && (data.difference ?? 0) < high);
  const reject = data.bounds.find(({ of }) => of === "reject");
  const gap = data.missing.find((each) => each.what === "evidence" && each.of === "reject");
  assert.ok(gap?.what === "evidence");
  assert.ok(Math.abs(gap.factor * (reject?.e ?? 0) - 1e6) < 1);
  assert.ok((gap.outcomes ?? 0) > 0 && (gap.outcomes ?? 0) < 100, String(gap.outcomes));
  assert.match(sentence, /The canary has 24 outcomes with a mean of 0\.5, the current version 36/);
  assert.match(sentence, /worse \(95 %, asymptotically: /);
  assert.match(sentence, /For rejecting it the e-value is .* of 1\.0e\+6, about \d+ outcomes/);
  assert.match(sentence, /For promoting it the e-value is \S+ of 20\./);
  assert.equal(JSON.parse(JSON.stringify(data)), data);
});

test("explain names the verdict with its reason, and what came late", () => {
  const rejected = explained(times(30, ofCurrent(1), ofCanary(0)));
  assert.is(rejected.verdict?.decision, "reject");
  assert.equal(rejected.missing, []);
  assert.match(
    rejected.sentence,
    /It is rejected after \d+ outcomes: the e-value for the finding that it is worse has reached 20\./,
  );
  assert.match(rejected.sentence, /\d+ outcomes came after the verdict and changed nothing\.$/);
  const horizon = explained(times(100, ofCurrent(1), ofCanary(1)), { promoteError: 1e-30 });
  assert.match(horizon.sentence, /promoted after 200 outcomes: the evidence had not decided/);
});

test("explain says why a canary is held", () => {
  const lopsided = explained([...times(150, ofCanary(1)), ...times(20, ofCurrent(1))], {
    promoteError: 1e-30,
    horizon: null,
  });
  assert.match(lopsided.sentence, /held since outcome \d+: the arms' sizes do not fit the share/);
  const judge = { outcomes: 20, then: "hold" } as const;
  const undecided = explained(times(30, ofCurrent(1), ofCanary(1)), {
    promoteError: 1e-30,
    horizon: judge,
  });
  assert.match(undecided.sentence, /held since outcome 40: undecided at the horizon/);
});

test("explain says who holds a canary, and that its promotion waits", () => {
  const judge = bettingJudge(bettingPolicy());
  const held = { by: "person:ann", reason: "release freeze" };
  const { sentence } = explain(judge, judge.start(), { held, waiting: null });
  assert.match(sentence, /Held by person:ann: release freeze\.$/);
  const waits = explain(judge, judge.start(), { held, waiting: {} }).sentence;
  assert.match(waits, /freeze\. The judge would promote it; that waits for RESUME\.$/);
});

test("explain speaks for the judge margin too, and for evidence out of history", () => {
  const judge = marginJudge(marginPolicy({ minOutcomes: 4 }));
  const some = judge.fold(judge.start(), times(2, ofCurrent(1), ofCanary(0))).state;
  assert.match(explain(judge, some).sentence, /needs 2 more of the canary and 2 more/);
  const done = judge.fold(some, times(2, ofCurrent(1), ofCanary(0))).state;
  assert.match(explain(judge, done).sentence, /rejected after 8 outcomes: the means were compared/);
  const kept = JSON.parse(JSON.stringify(judge.evidence(done))) as ReturnType<
    typeof judge.evidence
  >;
  assert.is(sentenceOf(kept), explain(judge, done).sentence);
});
