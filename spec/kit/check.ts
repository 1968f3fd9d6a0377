import fc from "fast-check";
import process from "node:process";

/** fast-check's parameters. `FC_SEED`, `FC_PATH` and `FC_RUNS` of the environment come first. */
export type CheckParams<Ts> = fc.Parameters<Ts>;

/**
 * Checks a fast-check property. A failure names the smallest counterexample, the seed and the path;
 * `FC_SEED=… FC_PATH=…` in the environment repeat exactly it, `FC_RUNS` sets the number of runs.
 *
 * @throws Error when the property does not hold
 */
export async function check<Ts>(
  property: fc.IAsyncProperty<Ts> | fc.IProperty<Ts>,
  params: CheckParams<Ts> = {},
): Promise<void> {
  const { FC_SEED, FC_PATH, FC_RUNS } = process.env;
  const merged: CheckParams<Ts> = {
    includeErrorInReport: true,
    ...params,
    ...(FC_SEED ? { seed: Number(FC_SEED) } : {}),
    ...(FC_PATH ? { path: FC_PATH, endOnFailure: true } : {}),
    ...(FC_RUNS ? { numRuns: Number(FC_RUNS) } : {}),
  };
  if (property.isAsync()) await fc.assert(property as fc.IAsyncProperty<Ts>, merged);
  else fc.assert(property as fc.IProperty<Ts>, merged);
}
