/**
 * The state of the sample-ratio check: an e-value against "the canary gets the part of the outcomes
 * that the propensity says". Plain data.
 */
export interface SampleRatio {
  /** The propensity of the outcomes that are counted now; `null` before the first. */
  readonly propensity: number | null;
  readonly canary: number;
  readonly current: number;
  /** Natural logarithm of the e-value. */
  readonly logE: number;
}

/** The strength of the prior around the propensity. */
const K = 100;

/** Before the first outcome. */
export const noSampleRatio: SampleRatio = { propensity: null, canary: 0, current: 0, logE: 0 };

/** A sample ratio that outcomes are added to in place. */
export type SampleRatioDraft = { -readonly [Key in keyof SampleRatio]: SampleRatio[Key] };

/** A copy to add to. */
export function sampleRatioDraft(
  { propensity, canary, current, logE }: SampleRatio,
): SampleRatioDraft {
  return { propensity, canary, current, logE };
}

/**
 * Adds one outcome: the predictive form of
 * `lnB(kπ + n_c, k(1−π) + n_b) − lnB(kπ, k(1−π)) − n_c ln π − n_b ln(1−π)`, k = 100. With another
 * propensity the counts begin anew and the e-values multiply, so a ramp does not look like a
 * mismatch.
 *
 * Source: M. Lindon, A. Malek, "Anytime-valid inference for multinomial count data", NeurIPS 2022.
 */
export function addSample(ratio: SampleRatioDraft, isCanary: boolean, propensity: number): void {
  if (ratio.propensity !== propensity) {
    ratio.propensity = propensity;
    ratio.canary = 0;
    ratio.current = 0;
  }
  const all = K + ratio.canary + ratio.current;
  if (isCanary) {
    ratio.logE += Math.log((K * propensity + ratio.canary) / (all * propensity));
    ratio.canary++;
  } else {
    const other = 1 - propensity;
    ratio.logE += Math.log((K * other + ratio.current) / (all * other));
    ratio.current++;
  }
}
