import { logMeanExp } from "./log-mean-exp.ts";

/**
 * Products of many factors, one for each bet. Each is `factors[g] × 2^(512 × scales[g])`, so none
 * runs out of range and no logarithm is needed to go on. Plain data.
 */
export interface Wealth {
  readonly factors: readonly number[];
  readonly scales: readonly number[];
}

/** A wealth whose factors are multiplied in place. */
export interface WealthDraft {
  readonly factors: number[];
  scales: readonly number[];
}

const LOG_SCALE = 512 * Math.LN2;
const SCALE = 2 ** 512;
const HIGHEST = 2 ** 256;
const LOWEST = 2 ** -256;

/** Wealth 1 in each of `count` bets. */
export function wealthOf(count: number): Wealth {
  return { factors: new Array<number>(count).fill(1), scales: new Array<number>(count).fill(0) };
}

/** A copy to multiply in. */
export function wealthDraft({ factors, scales }: Wealth): WealthDraft {
  return { factors: factors.slice(), scales };
}

/** Multiplies bet `g`. Powers of two are exact, so it does not matter when one is split off. */
export function multiply(wealth: WealthDraft, g: number, by: number): void {
  let factor = (wealth.factors[g] as number) * by;
  if (factor > HIGHEST || factor < LOWEST) {
    const up = factor > HIGHEST;
    factor = up ? factor / SCALE : factor * SCALE;
    wealth.scales = wealth.scales.map((scale, n) => n === g ? scale + (up ? 1 : -1) : scale);
  }
  wealth.factors[g] = factor;
}

/** The natural logarithm of the mean over all bets. */
export function logWealth({ factors, scales }: Wealth): number {
  return logMeanExp(factors.map((factor, g) => Math.log(factor) + (scales[g] ?? 0) * LOG_SCALE));
}

/** Whether the mean over all bets is at least `bound`, which is above 1. */
export function wealthReaches(wealth: Wealth, bound: number): boolean {
  const { factors, scales } = wealth;
  let sum = 0;
  for (let g = 0; g < factors.length; g++) {
    const scale = scales[g] as number;
    if (scale > 0) return logWealth(wealth) >= Math.log(bound);
    // What was scaled down is too little to make a difference to 1.
    if (scale === 0) sum += factors[g] as number;
  }
  return sum >= bound * factors.length;
}
