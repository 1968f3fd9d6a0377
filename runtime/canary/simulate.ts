import { nextTurn } from "../next-turn.ts";
import { SidecanaryError } from "../errors.ts";
import { judgeOf } from "./judge/judge-of.ts";
import type { JudgedOutcome } from "./judge/judge.ts";
import type { CanaryPolicy } from "./policy.ts";
import { nextStep, shareOfStep } from "./ramp.ts";
import { bucketsOf, propensityOf } from "./share.ts";
import { seededRandom } from "./seeded-random.ts";

/** The world in which a simulated canary runs, at one outcome. */
export interface SimulatedWorld {
  /** How often the canary succeeds, from 0 to 1. */
  readonly canary: number;
  /** How often the current version succeeds. */
  readonly current: number;
  /**
   * The canary's share, between 0 and 1.
   * @default by the policy's ramp, of which only the steps by outcomes are simulated
   */
  readonly share?: number;
}

/** What is simulated. */
export interface SimulateOptions {
  /** Equal seeds give equal results. */
  readonly seed: number;
  /** The world, or how it is at the outcome of this number, from 0. */
  readonly world: SimulatedWorld | ((outcome: number) => SimulatedWorld);
  /**
   * Trials.
   * @default 2_000
   */
  readonly runs?: number;
  /**
   * Outcomes of both arms after which a trial is given up as undecided.
   * @default 1_000
   */
  readonly outcomes?: number;
  /**
   * Outcomes of the current version that are known before each trial.
   * @default 0
   */
  readonly history?: number;
}

/** How one kind of end came about over all trials. */
export interface SimulatedEnd {
  /** The part of the trials, from 0 to 1. */
  readonly rate: number;
  /** The standard error of `rate`. */
  readonly error: number;
  /** Outcomes of the canary until then, in the middle of these trials; `null`: there were none. */
  readonly median: number | null;
  /** The same, for nine of ten of them. */
  readonly p90: number | null;
}

/** What a policy does in a world: its operating characteristics. */
export interface Simulation {
  readonly seed: number;
  readonly runs: number;
  readonly rejected: SimulatedEnd;
  readonly promoted: SimulatedEnd;
  /** The part of the trials that evidence promoted, or the margin; the rest of `promoted` is the horizon's. */
  readonly promotedOnEvidence: number;
  /** The part that came to no verdict. Held ones are among them. */
  readonly undecided: number;
  /** The part that was held at the horizon and came to no verdict. */
  readonly held: number;
  /** The part in which the sample-ratio check held, wrongly: the simulated arms always fit. */
  readonly sampleRatioHeld: number;
}

/** How far a simulation is. */
export interface SimulationProgress {
  readonly done: number;
  readonly runs: number;
}

const CHUNK = 50;

/**
 * Plays a policy's judge over and over with outcomes from a seed, looking after every one of them.
 * Yields after every few trials and lets other work go on meanwhile; returns the result.
 *
 * @throws {SidecanaryError} `input-invalid` when a rate or a size is out of range
 */
export async function* simulateCanary(
  policy: CanaryPolicy,
  options: SimulateOptions,
): AsyncGenerator<SimulationProgress, Simulation> {
  const { seed, runs = 2_000 } = options;
  checkSize("runs", runs);
  checkSize("outcomes", options.outcomes ?? 1_000);
  const random = seededRandom(seed);
  const tally = {
    rejected: [] as number[],
    promoted: [] as number[],
    evidence: 0,
    held: 0,
    ratio: 0,
  };
  for (let done = 0; done < runs;) {
    const chunk = Math.min(CHUNK, runs - done);
    for (let n = 0; n < chunk; n++) {
      const { verdict, holds, canaryCount } = runOnce(policy, options, random);
      if (verdict?.decision === "reject") tally.rejected.push(canaryCount);
      if (verdict?.decision === "promote") tally.promoted.push(canaryCount);
      if (verdict?.decision === "promote" && verdict.basis !== "horizon") tally.evidence++;
      if (verdict === null && holds.some(({ why }) => why === "horizon")) tally.held++;
      if (holds.some(({ why }) => why === "sample-ratio")) tally.ratio++;
    }
    done += chunk;
    yield { done, runs };
    await nextTurn();
  }
  return {
    seed,
    runs,
    rejected: endOf(tally.rejected, runs),
    promoted: endOf(tally.promoted, runs),
    promotedOnEvidence: tally.evidence / runs,
    undecided: 1 - (tally.rejected.length + tally.promoted.length) / runs,
    held: tally.held / runs,
    sampleRatioHeld: tally.ratio / runs,
  };
}

function runOnce(policy: CanaryPolicy, options: SimulateOptions, random: () => number) {
  const { world, outcomes = 1_000, history = 0 } = options;
  const judge = judgeOf(policy.judge);
  const worldAt = typeof world === "function" ? world : () => world;
  let state = judge.start(startOf(worldAt(0), policy, history, random));
  const isHigherBetter = policy.judge.better === "higher";
  let step = 0;
  let stepBegan = 0;
  for (let n = 0; n < outcomes && state.verdict === null; n++) {
    const { canary, current, share = shareOfStep(policy, step) } = worldAt(n);
    const propensity = propensityOf(bucketsOf(share));
    const isCanary = random() < propensity;
    const rate = isCanary ? canary : current;
    if (!(rate >= 0 && rate <= 1)) throw refused("rate", rate, "a number from 0 to 1");
    const succeeds = random() < rate;
    const outcome: JudgedOutcome = {
      arm: isCanary ? "canary" : "current",
      score: succeeds === isHigherBetter ? 1 : 0,
      propensity,
    };
    ({ state } = judge.fold(state, [outcome]));
    const progress = { step, outcomes: state.canaryCount - stepBegan, elapsedMs: 0, held: false };
    if (nextStep(policy, progress) === step) continue;
    step++;
    stepBegan = state.canaryCount;
  }
  return state;
}

function startOf(
  { current }: SimulatedWorld,
  policy: CanaryPolicy,
  count: number,
  random: () => number,
) {
  if (count === 0) return {};
  let good = 0;
  for (let n = 0; n < count; n++) if (random() < current) good++;
  const mean = policy.judge.better === "higher" ? good / count : 1 - good / count;
  return { history: { mean, count } };
}

function endOf(counts: readonly number[], runs: number): SimulatedEnd {
  const rate = counts.length / runs;
  const sorted = [...counts].sort((a, b) => a - b);
  const at = (part: number) =>
    sorted[Math.min(sorted.length - 1, Math.floor(part * sorted.length))];
  return {
    rate,
    error: Math.sqrt(rate * (1 - rate) / runs),
    median: at(0.5) ?? null,
    p90: at(0.9) ?? null,
  };
}

function checkSize(field: string, value: number): void {
  if (!(Number.isSafeInteger(value) && value > 0)) {
    throw refused(field, value, "a whole number from 1");
  }
}

function refused(field: string, value: number, wanted: string): SidecanaryError {
  return new SidecanaryError(
    "input-invalid",
    `Cannot simulate a canary whose ${field} is ${value}: give ${wanted}.`,
    { source: "simulation", field },
  );
}
