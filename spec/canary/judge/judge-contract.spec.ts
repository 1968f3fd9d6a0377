import * as assert from "uvu/assert";
import fc from "fast-check";
import { bettingJudge } from "../../../runtime/canary/judge/betting.ts";
import { judgeOf, type JudgeState } from "../../../runtime/canary/judge/judge-of.ts";
import type { Judge, JudgedOutcome } from "../../../runtime/canary/judge/judge.ts";
import { marginJudge } from "../../../runtime/canary/judge/margin.ts";
import { isSidecanaryError } from "../../../runtime/errors.ts";
import { suite } from "../../harness.ts";
import { check } from "../../kit/check.ts";
import {
  anyOutcome,
  bettingPolicy,
  marginPolicy,
  ofCanary,
  ofCurrent,
  someOutcomes,
  times,
} from "./outcomes.ts";

const test = suite("canary/judge");

const judges: readonly Judge<JudgeState>[] = [
  judgeOf(bettingPolicy({ rejectError: 0.3, promoteError: 0.3, promoteMargin: 0.3 })),
  judgeOf(bettingPolicy({ minOutcomes: 4, horizon: { outcomes: 20, then: "hold" } })),
  judgeOf(bettingPolicy({ better: "lower", sampleRatioBound: 3 })),
  judgeOf(marginPolicy({ minOutcomes: 6, sampleRatioBound: 2 })),
];

/** One outcome at a time: the states in between, the first included. */
function oneByOne(judge: Judge<JudgeState>, outcomes: readonly JudgedOutcome[]): JudgeState[] {
  const states = [judge.start()];
  for (const outcome of outcomes) {
    states.push(judge.fold(states.at(-1) as JudgeState, [outcome]).state);
  }
  return states;
}

for (const [n, judge] of judges.entries()) {
  const name = `${judge.name} ${n}`;

  test(`${name} comes to the same state, bit by bit, however outcomes are batched`, async () => {
    const cuts = fc.array(fc.nat(160), { maxLength: 8 });
    await check(
      fc.property(someOutcomes, cuts, (outcomes, cuts) => {
        const edges = [0, ...cuts, outcomes.length].sort((a, b) => a - b);
        let state = judge.start();
        const verdicts = [];
        const holds = [];
        for (const [n, edge] of edges.entries()) {
          const folded = judge.fold(state, outcomes.slice(edges[n - 1] ?? 0, edge));
          // Through JSON, as a store would have it.
          state = JSON.parse(JSON.stringify(folded.state)) as JudgeState;
          if (folded.verdict !== null) verdicts.push(folded.verdict);
          holds.push(...folded.holds);
        }
        assert.equal(state, oneByOne(judge, outcomes).at(-1));
        assert.equal(verdicts, state.verdict === null ? [] : [state.verdict]);
        assert.equal(holds, state.holds);
      }),
      { numRuns: 100 },
    );
  });

  test(`${name} keeps its verdict and its figures, whatever comes late`, async () => {
    await check(
      fc.property(someOutcomes, (outcomes) => {
        const states = oneByOne(judge, outcomes);
        const at = states.findIndex(({ verdict }) => verdict !== null);
        if (at < 0) return;
        const decided = states[at] as JudgeState;
        for (const [n, later] of states.slice(at).entries()) {
          assert.equal(later, { ...decided, late: n });
        }
      }),
      { numRuns: 100 },
    );
  });

  test(`${name} refolds the same outcomes to the same state`, async () => {
    await check(
      fc.property(someOutcomes, (outcomes) => {
        const before = judge.fold(judge.start(), outcomes).state;
        const again = judge.refold(before, outcomes);
        assert.equal(again, { state: before, verdict: null, holds: [] });
      }),
      { numRuns: 60 },
    );
  });

  test(`${name} never un-decides by a correction, and decides by one where it had not`, async () => {
    await check(
      fc.property(someOutcomes, fc.nat(), fc.constantFrom(0, 1), (outcomes, pick, score) => {
        const before = judge.fold(judge.start(), outcomes).state;
        const corrected = outcomes.map((outcome, n) =>
          n === pick % outcomes.length ? { ...outcome, score } : outcome
        );
        const { state, verdict } = judge.refold(before, corrected);
        const fresh = judge.fold(judge.start(), corrected).state;
        if (before.verdict !== null) {
          assert.equal([state.verdict, verdict], [before.verdict, null]);
          assert.is(state.late, before.late);
        } else {
          assert.equal([state.verdict, verdict], [fresh.verdict, fresh.verdict]);
          assert.is(state.late, fresh.late);
        }
        for (const hold of before.holds) assert.ok(state.holds.some(({ why }) => why === hold.why));
      }),
      { numRuns: 100 },
    );
  });

  test(`${name} stays finite over any outcomes and does not change what it was given`, async () => {
    await check(
      fc.property(fc.array(anyOutcome, { maxLength: 200 }), (outcomes) => {
        const start = judge.start();
        const text = JSON.stringify(start);
        const { state } = judge.fold(start, outcomes);
        assert.is(JSON.stringify(start), text);
        assert.equal(JSON.parse(JSON.stringify(state)), state, "not finite, or no plain data");
        const evidence = judge.evidence(state);
        assert.equal(JSON.parse(JSON.stringify(evidence)), evidence);
      }),
      { numRuns: 60 },
    );
  });

  test(`${name} decides nothing before both arms have their outcomes`, async () => {
    const floor = judge.evidence(judge.start()).canary.floor;
    await check(
      fc.property(someOutcomes, (outcomes) => {
        for (const state of oneByOne(judge, outcomes)) {
          const { canary, current } = judge.evidence(state);
          if (Math.min(canary.outcomes, current.outcomes) >= floor) continue;
          assert.is(state.verdict, null);
        }
      }),
      { numRuns: 60 },
    );
    for (const lone of [times(200, ofCanary(0)), times(200, ofCurrent(1))]) {
      assert.is(judge.fold(judge.start(), lone).state.verdict, null);
    }
  });

  test(`${name} leaves out units that were routed before the trial, on either side`, () => {
    const begin = { since: 1_000 };
    const old = [ofCanary(0), ofCurrent(1)].map((each) => ({ ...each, assignedAt: 999 }));
    const fresh = [ofCanary(1), ofCurrent(1)].map((each) => ({ ...each, assignedAt: 1_000 }));
    const mixed = judge.fold(judge.start(begin), [...times(20, ...old), ...fresh]);
    assert.equal(mixed, judge.fold(judge.start(begin), fresh));
    assert.equal(judge.refold(mixed.state, [...old, ...fresh], begin).state, mixed.state);
  });

  test(`${name} refuses outcomes that are out of range, by the field`, () => {
    const good = ofCanary(1);
    const wrong = [
      [{ ...good, score: 1.01 }, "score"],
      [{ ...good, score: -0.01 }, "score"],
      [{ ...good, score: Number.NaN }, "score"],
      [{ ...good, propensity: 0 }, "propensity"],
      [{ ...good, propensity: 1 }, "propensity"],
      [{ ...good, propensity: Number.NaN }, "propensity"],
      [{ ...good, arm: "other" as "canary" }, "arm"],
    ] as const;
    for (const [outcome, field] of wrong) {
      try {
        judge.fold(judge.start(), [good, outcome]);
        assert.unreachable(field);
      } catch (error) {
        assert.ok(isSidecanaryError(error, "input-invalid"), String(error));
        assert.is(error.details.field, field);
      }
    }
  });
}

test("a judge refuses the state of another one", () => {
  const betting = judgeOf(bettingPolicy());
  assert.throws(
    () => betting.fold(marginJudge(marginPolicy()).start(), []),
    /of the judge "margin"/,
  );
  const margin = judgeOf(marginPolicy());
  assert.throws(() => margin.evidence(bettingJudge(bettingPolicy()).start()), /keeps the policy/);
});
