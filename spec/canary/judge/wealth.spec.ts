import * as assert from "uvu/assert";
import fc from "fast-check";
import { logMeanExp } from "../../../runtime/canary/judge/log-mean-exp.ts";
import {
  logWealth,
  multiply,
  wealthDraft,
  wealthOf,
  wealthReaches,
} from "../../../runtime/canary/judge/wealth.ts";
import { suite } from "../../harness.ts";
import { check } from "../../kit/check.ts";

const test = suite("canary/judge/wealth");

test("a wealth is the product of its factors, far beyond the range of a number", async () => {
  const factor = fc.oneof(
    fc.double({ min: 1e-9, max: 1e9, noNaN: true }),
    fc.constantFrom(0.1, 1.9, 4e9),
  );
  await check(
    fc.property(
      fc.array(fc.tuple(fc.nat(2), factor, fc.constantFrom(1, 60)), { maxLength: 60 }),
      fc.double({ min: 1.001, max: 1e300, noNaN: true }),
      (steps, bound) => {
        const logs = [0, 0, 0];
        const wealth = wealthDraft(wealthOf(3));
        for (const [g, by, times] of steps) {
          for (let n = 0; n < times; n++) {
            multiply(wealth, g, by);
            logs[g] = (logs[g] ?? 0) + Math.log(by);
          }
        }
        const wanted = logMeanExp(logs);
        const got = logWealth(wealth);
        assert.ok(Math.abs(got - wanted) <= 1e-11 * Math.max(1, ...logs.map(Math.abs)));
        if (Math.abs(got - Math.log(bound)) < 1e-6) return;
        assert.is(wealthReaches(wealth, bound), got > Math.log(bound));
      },
    ),
    { numRuns: 300 },
  );
});

test("a wealth that is multiplied leaves the one it was copied from as it was", () => {
  const first = wealthOf(2);
  const draft = wealthDraft(first);
  for (let n = 0; n < 100; n++) multiply(draft, 1, 1e9);
  assert.equal(first, { factors: [1, 1], scales: [0, 0] });
  assert.ok((draft.scales[1] ?? 0) > 0);
  assert.is(draft.scales[0], 0);
});
