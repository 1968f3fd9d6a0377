import * as assert from "uvu/assert";
import fc from "fast-check";
import { readFile } from "node:fs/promises";
import { bettingJudge, type BettingState } from "../../../runtime/canary/judge/betting.ts";
import type { JudgedOutcome } from "../../../runtime/canary/judge/judge.ts";
import { logMeanExp } from "../../../runtime/canary/judge/log-mean-exp.ts";
import { logWealth } from "../../../runtime/canary/judge/wealth.ts";
import { seededRandom } from "../../../runtime/canary/seeded-random.ts";
import { suite } from "../../harness.ts";
import { check } from "../../kit/check.ts";
import { fixture } from "../../kit/fixture.ts";
import { bettingPolicy, ofCanary, ofCurrent, someOutcomes, times } from "./outcomes.ts";

const test = suite("canary/judge/betting");

interface Vector {
  readonly pi: number;
  readonly seq: readonly (readonly [isCanary: number, score: number])[];
  readonly kind: "rollback" | "promote";
  readonly delta: number;
  readonly logE: readonly number[];
}

/** No bound is ever reached: the fold goes to the end. */
const NEVER = Number.MIN_VALUE;

test("betting has the e-values of every vector, after every outcome", async () => {
  const { vectors } = JSON.parse(await readFile(fixture("canary/vectors.json"), "utf8")) as {
    readonly vectors: Readonly<Record<string, Vector>>;
  };
  let points = 0;
  for (const [name, { pi, seq, kind, delta, logE }] of Object.entries(vectors)) {
    const judge = bettingJudge(bettingPolicy({
      rejectError: NEVER,
      promoteError: NEVER,
      sampleRatioBound: null,
      ...(kind === "rollback" ? { rejectMargin: delta } : { promoteMargin: delta }),
    }));
    let state = judge.start();
    for (const [n, [isCanary, score]] of seq.entries()) {
      const outcome = isCanary === 1 ? ofCanary(score, pi) : ofCurrent(score, pi);
      ({ state } = judge.fold(state, [outcome]));
      const got = logWealth(kind === "rollback" ? state.reject : state.promote);
      assert.ok(Math.abs(got - (logE[n] ?? Number.NaN)) < 1e-9, `${name}, outcome ${n}: ${got}`);
      points++;
    }
  }
  assert.is(points, 189);
});

test("one step expects no more than it has, for any centre, propensity and true means", async () => {
  const unit = fc.double({ min: 0, max: 1, noNaN: true });
  await check(
    fc.property(
      unit,
      unit,
      fc.double({ min: 0.001, max: 0.999, noNaN: true }),
      fc.double({ min: 0, max: 0.9, noNaN: true }),
      fc.double({ min: 0.001, max: 0.9, noNaN: true }),
      (mean, champion, propensity, rejectMargin, promoteMargin) => {
        const judge = bettingJudge(bettingPolicy({
          rejectMargin,
          promoteMargin,
          rejectError: NEVER,
          promoteError: NEVER,
        }));
        const start = judge.start({ history: { mean, count: 1_000 } });
        const expected = (canary: number, of: "reject" | "promote") => {
          let sum = 0;
          for (const arm of ["canary", "current"] as const) {
            for (const score of [0, 1]) {
              const rate = arm === "canary" ? canary : champion;
              const weight = (arm === "canary" ? propensity : 1 - propensity) *
                (score === 1 ? rate : 1 - rate);
              const { state } = judge.fold(start, [{ arm, score, propensity }]);
              const e = Math.exp(logWealth(state[of]));
              assert.ok(e > 0, "a bet that can lose all");
              sum += weight * e;
            }
          }
          return sum;
        };
        const low = Math.max(0, champion - rejectMargin);
        assert.ok(expected(low, "reject") <= 1 + 1e-9);
        if (champion - promoteMargin >= 0) {
          assert.ok(expected(champion - promoteMargin, "promote") <= 1 + 1e-9);
        }
      },
    ),
    { numRuns: 200 },
  );
});

test("betting rejects a dead canary as soon as it has its outcomes, and keeps the moment", () => {
  const judge = bettingJudge(bettingPolicy({ minOutcomes: 5 }));
  const life = [...times(90, ofCurrent(1, 0.1)), ...times(10, ofCanary(0, 0.1))];
  const { verdict, state } = judge.fold(judge.start(), life);
  assert.equal(verdict, { decision: "reject", basis: "evidence", at: 95 });
  assert.is(state.rejectCrossedAt, 91);
  assert.is(state.late, 5);
});

test("history counts for its outcomes, up to twenty, and one that is no score is refused", () => {
  const judge = bettingJudge(bettingPolicy());
  const begin = (mean: number, count: number) => {
    const { priorMean, priorWeight } = judge.start({ history: { mean, count } });
    return [priorMean, priorWeight];
  };
  assert.equal(begin(0.9, 7), [0.9, 7]);
  assert.equal(begin(0.9, 700), [0.9, 20]);
  assert.equal(begin(0.9, 0), [0.5, 2]);
  assert.throws(() => begin(1.1, 7), /mean is 1.1/);
  assert.throws(() => begin(Number.NaN, 7), /mean is NaN/);
});

test("betting promotes what is proven to be no worse", () => {
  const judge = bettingJudge(bettingPolicy({ promoteMargin: 0.1 }));
  const { verdict } = judge.fold(judge.start(), times(300, ofCanary(1), ofCurrent(0.8)));
  assert.is(verdict?.decision, "promote");
  assert.is(verdict?.basis, "evidence");
});

test("a crossing before the floors is remembered and decides with the last missing outcome", () => {
  const judge = bettingJudge(bettingPolicy({ minOutcomes: 5 }));
  const begin = { history: { mean: 1, count: 20 } };
  const before = judge.fold(judge.start(begin), times(4, ofCanary(0, 0.1), ofCurrent(1, 0.1)));
  assert.is(before.verdict, null);
  assert.ok(before.state.rejectCrossedAt !== null);
  const after = judge.fold(before.state, [ofCanary(1, 0.1), ofCurrent(1, 0.1)]);
  assert.equal(after.verdict, { decision: "reject", basis: "evidence", at: 10 });
});

test("rejection wins where both bounds are crossed by one outcome", () => {
  // With a wide margin a canary can be proven worse, and proven not to be worse by that much.
  const judge = bettingJudge(bettingPolicy({ promoteMargin: 0.9, minOutcomes: 40 }));
  const life = times(40, ofCurrent(1), ofCanary(0.4));
  const { verdict, state } = judge.fold(judge.start(), life);
  assert.ok(state.promoteCrossedAt !== null && state.rejectCrossedAt !== null);
  assert.is(verdict?.decision, "reject");
  const double = { factors: times6(2), scales: times6(0) };
  const half = { ...judge.start(), reject: double, promote: double };
  const both = bettingJudge(bettingPolicy({ rejectError: 0.6, promoteError: 0.6 }));
  const floors = { ...half, canaryCount: 5, currentCount: 5 };
  assert.is(both.fold(floors, [ofCurrent(0.5)]).verdict?.decision, "reject");
});

function times6(value: number): number[] {
  return new Array<number>(6).fill(value);
}

test("the horizon's policy applies once, at the first outcome that has it and both floors", () => {
  const life = [...times(10, ofCanary(1)), ...times(20, ofCurrent(1), ofCanary(1))];
  const wide = { promoteError: NEVER, minOutcomes: 5 } as const;
  const fold = (then: "promote-if-no-worse" | "hold" | "promote" | "reject") => {
    const judge = bettingJudge(bettingPolicy({ ...wide, horizon: { outcomes: 10, then } }));
    return judge.fold(judge.start(), life);
  };
  for (const then of ["promote-if-no-worse", "promote", "reject"] as const) {
    const { verdict } = fold(then);
    assert.equal(verdict, {
      decision: then === "reject" ? "reject" : "promote",
      basis: "horizon",
      at: 19,
    });
  }
  const held = fold("hold");
  assert.is(held.verdict, null);
  assert.equal(held.holds, [{ why: "horizon", at: 19 }]);
});

test("promote-if-no-worse holds a canary that looks worse, and evidence still decides later", () => {
  const judge = bettingJudge(
    bettingPolicy({ horizon: { outcomes: 5, then: "promote-if-no-worse" } }),
  );
  const start = times(5, ofCurrent(1), ofCanary(0.7));
  const { verdict, holds, state } = judge.fold(judge.start(), start);
  assert.is(verdict, null);
  assert.equal(holds.map(({ why }) => why), ["horizon"]);
  assert.is(judge.fold(state, times(60, ofCurrent(1), ofCanary(0))).verdict?.decision, "reject");
});

test("scores of which lower ones are better are judged as their mirror image", async () => {
  const higher = bettingJudge(bettingPolicy());
  const lower = bettingJudge(bettingPolicy({ better: "lower" }));
  await check(
    fc.property(someOutcomes, (outcomes) => {
      const mirrored = outcomes.map((each) => ({ ...each, score: 1 - each.score }));
      const a = higher.fold(higher.start({ history: { mean: 0.75, count: 9 } }), outcomes);
      const b = lower.fold(lower.start({ history: { mean: 0.25, count: 9 } }), mirrored);
      assert.is(a.verdict?.decision, b.verdict?.decision);
      const [x, y] = [a.state, b.state].map(({ reject }) => logWealth(reject));
      assert.ok(Math.abs((x ?? 0) - (y ?? 0)) < 1e-6);
    }),
    { numRuns: 50 },
  );
});

test("e-values stay exact and finite over 200,000 outcomes", () => {
  const judge = bettingJudge(bettingPolicy({ minOutcomes: 1_000_000_000 }));
  let state: BettingState = judge.start();
  const batch = times(5_000, ofCanary(0), ofCurrent(1));
  for (let n = 0; n < 20; n++) ({ state } = judge.fold(state, batch));
  assert.is(state.canaryCount, 100_000);
  const log = logWealth(state.reject);
  assert.ok(log > 60_000 && Number.isFinite(log), String(log));
  assert.ok(Number.isFinite(judge.evidence(state).bounds[0]?.e));
  assert.is(logMeanExp([]), -Infinity);
  assert.is(logMeanExp([-1e308, -1e308]), -1e308);
});

interface World {
  readonly canary: number;
  readonly current: number;
  readonly share: number;
}

/** How many of `runs` trials are rejected when each is looked at after every outcome. */
function rejections(seed: number, runs: number, outcomes: number, world: (n: number) => World) {
  const judge = bettingJudge(bettingPolicy({ promoteError: NEVER, sampleRatioBound: null }));
  const random = seededRandom(seed);
  let rejected = 0;
  for (let run = 0; run < runs; run++) {
    const life: JudgedOutcome[] = Array.from({ length: outcomes }, (_, n) => {
      const { canary, current, share } = world(n);
      const isCanary = random() < share;
      const score = random() < (isCanary ? canary : current) ? 1 : 0;
      return isCanary ? ofCanary(score, share) : ofCurrent(score, share);
    });
    if (judge.fold(judge.start(), life).verdict?.decision === "reject") rejected++;
  }
  return rejected / runs;
}

const ALLOWED = 0.05 + 3 * Math.sqrt(0.05 * 0.95 / 300);

test("an identical canary is rejected no more often than the policy allows", () => {
  for (const share of [0.1, 0.5]) {
    const rate = rejections(1, 300, 600, () => ({ canary: 0.9, current: 0.9, share }));
    assert.ok(rate <= ALLOWED, `${rate} at ${share}`);
  }
});

test("an identical canary survives a ramp while the base rate falls", () => {
  const rate = rejections(2, 300, 600, (n) => {
    const base = n < 300 ? 0.95 : 0.8;
    return { canary: base, current: base, share: n < 300 ? 0.05 : 0.5 };
  });
  assert.ok(rate <= ALLOWED, String(rate));
});

test("a canary that is clearly worse is rejected", () => {
  const rate = rejections(3, 100, 1_500, () => ({ canary: 0.7, current: 0.9, share: 0.1 }));
  assert.ok(rate > 0.9, String(rate));
});
