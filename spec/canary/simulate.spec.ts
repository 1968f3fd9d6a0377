import * as assert from "uvu/assert";
import { type CanaryPolicyInput, parseCanaryPolicy } from "../../runtime/canary/policy.ts";
import {
  simulateCanary,
  type SimulateOptions,
  type Simulation,
  type SimulationProgress,
} from "../../runtime/canary/simulate.ts";
import { seededRandom } from "../../runtime/canary/seeded-random.ts";
import { suite } from "../harness.ts";

const test = suite("canary/simulate");

async function simulated(
  policy: CanaryPolicyInput,
  options: Partial<SimulateOptions> = {},
): Promise<[Simulation, SimulationProgress[]]> {
  const steps: SimulationProgress[] = [];
  const simulation = simulateCanary(parseCanaryPolicy(policy, "spec"), {
    seed: 1,
    runs: 120,
    outcomes: 600,
    world: { canary: 0.9, current: 0.9 },
    ...options,
  });
  for (;;) {
    const { done, value } = await simulation.next();
    if (done === true) return [value, steps];
    steps.push(value);
  }
}

test("simulateCanary gives the same for the same seed, and tells how far it is", async () => {
  const [first, steps] = await simulated({});
  const [again] = await simulated({});
  assert.equal(again, first);
  const [other] = await simulated({}, { seed: 2 });
  assert.is.not(JSON.stringify(other), JSON.stringify(first));
  assert.equal(steps.map(({ done }) => done), [50, 100, 120]);
  const { rejected, promoted, undecided } = first;
  assert.ok(Math.abs(rejected.rate + promoted.rate + undecided - 1) < 1e-9);
});

test("a dead canary is always rejected, after the fewest outcomes that decide", async () => {
  const [result] = await simulated({}, { world: { canary: 0, current: 0.9 }, history: 20 });
  assert.is(result.rejected.rate, 1);
  assert.ok((result.rejected.median ?? Infinity) <= 7, String(result.rejected.median));
  assert.equal([result.promoted.median, result.promoted.rate], [null, 0]);
});

test("the judge margin rejects identical canaries far more often than betting does", async () => {
  const world = { canary: 0.7, current: 0.7 };
  const [betting] = await simulated({ share: 0.1 }, { world });
  const [margin] = await simulated({ share: 0.1, judge: { kind: "margin", minOutcomes: 5 } }, {
    world,
  });
  assert.ok(betting.rejected.rate <= 0.05 + 3 * Math.sqrt(0.05 * 0.95 / 120));
  assert.ok(margin.rejected.rate > 0.1, String(margin.rejected.rate));
  assert.is(margin.undecided, 0);
  assert.is(margin.promotedOnEvidence, margin.promoted.rate);
});

test("a simulation follows the ramp, unless the world says the share", async () => {
  const policy: CanaryPolicyInput = {
    share: 0.5,
    ramp: [{ share: 0.01, outcomes: 1_000 }],
    judge: { kind: "betting", horizon: { outcomes: 20 } },
  };
  const world = { canary: 0.95, current: 0.9 };
  const [slow] = await simulated(policy, { runs: 40, world });
  assert.ok(slow.undecided > 0.9, "a share of 1 % brings hardly any outcomes");
  const [quick] = await simulated(policy, { runs: 40, world: { ...world, share: 0.5 } });
  assert.is(quick.undecided < 0.2, true);
});

test("lower scores for better ones make no difference to what succeeds", async () => {
  const world = { canary: 0.3, current: 0.9 };
  const [result] = await simulated({ judge: { kind: "betting", better: "lower" } }, {
    world,
    history: 50,
  });
  assert.ok(result.rejected.rate > 0.99);
});

test("rates and sizes out of range are refused", async () => {
  for (
    const [options, field] of [
      [{ runs: 0 }, /runs is 0/],
      [{ outcomes: 1.5 }, /outcomes is 1.5/],
      [{ world: { canary: 1.1, current: 1.1 } }, /rate is 1.1/],
    ] as const
  ) {
    let refused = "";
    await simulated({}, options).catch((error: Error) => refused = error.message);
    assert.match(refused, field);
  }
});

test("seededRandom is uniform enough, and differs by its seed", () => {
  const random = seededRandom(7);
  const draws = Array.from({ length: 20_000 }, random);
  const mean = draws.reduce((sum, draw) => sum + draw) / draws.length;
  assert.ok(Math.abs(mean - 0.5) < 0.01);
  assert.ok(draws.every((draw) => draw >= 0 && draw < 1));
  const below = draws.filter((draw, n) => draw < 0.5 && (draws[n + 1] ?? 1) < 0.5).length;
  assert.ok(Math.abs(below / draws.length - 0.25) < 0.02);
  assert.is.not(seededRandom(8)(), seededRandom(9)());
  assert.is.not(seededRandom(1)(), seededRandom(1 + 2 ** 32)());
});
