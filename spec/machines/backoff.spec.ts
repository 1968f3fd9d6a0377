import * as assert from "uvu/assert";
import fc from "fast-check";
import {
  backoff,
  bootRetryDefaults,
  retryDefaults,
  retryDelay,
  syncRetryDefaults,
  unitFrom,
} from "../../machines/backoff.ts";
import { suite } from "../harness.ts";
import { check } from "../kit/check.ts";

const test = suite("backoff");

const steady = { maxAttempts: 9, baseMs: 500, factor: 2, capMs: 8_000, jitter: 0 };

test("backoff() doubles until the cap", () => {
  const delays = [1, 2, 3, 4, 5, 6, 7].map((attempt) => backoff(steady, attempt, 0.5));
  assert.equal(delays, [500, 1_000, 2_000, 4_000, 8_000, 8_000, 8_000]);
});

test("backoff() with jitter 1 is full jitter, from the delay down to nothing", () => {
  const full = { ...steady, jitter: 1 };
  assert.equal([0, 0.25, 1].map((unit) => backoff(full, 3, unit)), [2_000, 1_500, 0]);
});

test("backoff() with jitter 0.2 draws the last fifth", () => {
  const some = { ...steady, jitter: 0.2 };
  assert.equal([0, 0.5, 1].map((unit) => backoff(some, 1, unit)), [500, 450, 400]);
});

test("backoff() stays finite after very many attempts", () => {
  assert.is(backoff(steady, 1_000_000, 0), 8_000);
});

test("backoff() refuses an attempt below 1 and a number outside [0, 1]", () => {
  for (const attempt of [0, -1, 1.5, NaN]) {
    assert.throws(() => backoff(steady, attempt, 0), /attempt must be 1 or more, it is/);
  }
  for (const unit of [-0.1, 1.1, NaN]) {
    assert.throws(() => backoff(steady, 1, unit), /random01 must be in \[0, 1\], it is/);
  }
});

test("backoff() lies between what jitter leaves and the cap", async () => {
  const policies = fc.record({
    baseMs: fc.nat(10_000),
    factor: fc.double({ min: 1, max: 10, noNaN: true }),
    capMs: fc.nat(60_000),
    jitter: fc.double({ min: 0, max: 1, noNaN: true }),
  });
  const unit = fc.double({ min: 0, max: 1, noNaN: true });
  await check(fc.property(policies, fc.integer({ min: 1, max: 50 }), unit, (policy, attempt, u) => {
    const delay = backoff(policy, attempt, u);
    const full = backoff({ ...policy, jitter: 0 }, attempt, u);
    assert.ok(delay <= policy.capMs && delay <= full);
    assert.ok(delay >= Math.floor(full * (1 - policy.jitter)) - 1);
    assert.ok(full <= backoff({ ...policy, jitter: 0 }, attempt + 1, u));
  }));
});

test("unitFrom() answers the same number on every runtime", () => {
  assert.is(unitFrom(""), 0.6112444521859288);
  assert.is(unitFrom("a"), 0.621685681398958);
  assert.is(unitFrom("c/v~1/1"), 0.19559645769186318);
  assert.is(unitFrom("c/v~1/2"), 0.7714800427202135);
});

test("unitFrom() spreads neighbouring seeds evenly over [0, 1)", () => {
  const tenths = new Array<number>(10).fill(0);
  for (let seed = 0; seed < 10_000; seed++) {
    const tenth = Math.floor(unitFrom(`campaign/variant-${seed}~1/2`) * 10);
    tenths[tenth] = (tenths[tenth] ?? NaN) + 1;
  }
  // 1,000 each, standard deviation 30: five of those.
  for (const count of tenths) assert.ok(Math.abs(count - 1_000) < 150, tenths.join(" "));
});

test("retryDelay() is never shorter than the failure asks for", () => {
  const failure = { code: "429", message: "slow down", class: "transient" } as const;
  assert.is(retryDelay(steady, 1, null, "s"), 500);
  assert.is(retryDelay(steady, 1, { ...failure, retryAfterMs: 300 }, "s"), 500);
  assert.is(retryDelay(steady, 1, { ...failure, retryAfterMs: 6_000 }, "s"), 6_000);
});

test("retryDelay() draws another delay for another attempt, and the same for the same", () => {
  const at = (seed: string) => retryDelay(retryDefaults, 3, null, seed);
  assert.is(at("c/v~1/3"), at("c/v~1/3"));
  assert.is.not(at("c/v~1/3"), at("c/v~1/4"));
});

test("bootRetryDefaults makes 12 attempts and waits about half a minute on average", () => {
  const { maxAttempts, ...policy } = bootRetryDefaults;
  assert.is(maxAttempts, 12);
  const waited = (unit: number) => {
    let total = 0;
    for (let attempt = 1; attempt < maxAttempts; attempt++) total += backoff(policy, attempt, unit);
    return total;
  };
  assert.is(waited(0), 63_500);
  assert.is(waited(0.5), 31_750);
});

test("the defaults differ in nothing but their attempts", () => {
  const attempts = [retryDefaults, syncRetryDefaults, bootRetryDefaults].map(
    ({ maxAttempts, ...policy }) => {
      assert.equal(policy, { baseMs: 500, factor: 2, capMs: 8_000, jitter: 1 });
      return maxAttempts;
    },
  );
  assert.equal(attempts, [3, 5, 12]);
});
