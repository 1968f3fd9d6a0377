import process from "node:process";
import { createRequire } from "node:module";
import * as assert from "uvu/assert";
import { suite } from "../harness.ts";
import { mutants } from "../kit/mutants.ts";
import { simulate } from "./simulate.ts";

const test = suite("simulation");

/**
 * `SIM_SEED` is the first seed, `SIM_RUNS` how many follow: `SIM_SEED=417 SIM_RUNS=1` repeats one.
 */
const { SIM_SEED, SIM_RUNS } = process.env;

/** What these seeds come to on every runtime. They change with the engine, the store and xstate. */
const traces: Readonly<Record<number, string>> = {
  1: "e6aef58d3767a206",
  2: "0fec418a064a554f",
  3: "cc9f0874b6211422",
};

test("the same seed is the same run, call for call, on every runtime", async () => {
  const found: Record<number, string> = {};
  for (const seed of Object.keys(traces)) {
    found[Number(seed)] = (await simulate(Number(seed))).trace;
  }
  const { version } = createRequire(import.meta.url)("xstate/package.json") as { version: string };
  const what = `with xstate ${version}; where the engine or the store was changed, take these`;
  assert.equal(found, traces, what);
  assert.is((await simulate(1)).trace, found[1]);
}, { timeoutMs: 60_000 });

test("without the fence, owners of the past have their results applied", async () => {
  const unfenced = mutants.find(({ name }) => name === "no fence on results");
  assert.ok(unfenced);
  for (let seed = 1; seed <= 60; seed++) {
    const { violations } = await simulate(seed, unfenced);
    const found = violations.find((each) => each.startsWith("P-lease"));
    if (found === undefined) continue;
    console.log(`\nwithout the fence, seed ${seed}: ${found}`);
    return;
  }
  assert.unreachable("60 seeds without the fence show nothing");
}, { timeoutMs: 60_000 });

test("crashes, stalls beyond the lease, lost messages and clocks apart break no rule", async () => {
  const first = Number(SIM_SEED ?? 100);
  const runs = Number(SIM_RUNS ?? 30);
  const sum = {
    steps: 0,
    virtualMs: 0,
    transitions: 0,
    requests: 0,
    keys: 0,
    crashes: 0,
    stalls: 0,
  };
  const began = process.hrtime.bigint();
  for (let seed = first; seed < first + runs; seed++) {
    const { violations, trace: _trace, ...counts } = await simulate(seed);
    assert.equal(violations, [], `SIM_SEED=${seed} SIM_RUNS=1`);
    for (const key of Object.keys(sum) as (keyof typeof sum)[]) sum[key] += counts[key];
  }
  const realMs = Number(process.hrtime.bigint() - began) / 1e6;
  console.log(
    `\n${runs} seeds: ${(sum.virtualMs / 60_000).toFixed(1)} virtual minutes in ` +
      `${(realMs / 1_000).toFixed(1)} s (${Math.round(sum.virtualMs / realMs)} times as fast), ` +
      `${sum.steps} store calls, ${sum.transitions} transitions, ${sum.crashes} crashes, ` +
      `${sum.stalls} stalls, ${sum.requests} requests for ${sum.keys} keys`,
  );
}, { timeoutMs: 600_000 });
