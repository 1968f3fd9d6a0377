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

/**
 * The logarithm that one more outcome adds to the e-value, after `canary` and `current` outcomes with
 * this propensity: the predictive form of
 * `lnB(kπ + n_c, k(1−π) + n_b) − lnB(kπ, k(1−π)) − n_c ln π − n_b ln(1−π)`, k = 100.
 *
 * Source: M. Lindon, A. Malek, "Anytime-valid inference for multinomial count data", NeurIPS 2022.
 */
export function sampleRatioStep(
  isCanary: boolean,
  propensity: number,
  canary: number,
  current: number,
): number {
  const all = K + canary + current;
  return isCanary
    ? Math.log((K * propensity + canary) / (all * propensity))
    : Math.log((K * (1 - propensity) + current) / (all * (1 - propensity)));
}

/**
 * The check after one more outcome. With another propensity the counts begin anew and the e-values
 * multiply, so a ramp does not look like a mismatch.
 */
export function withSample(
  ratio: SampleRatio,
  isCanary: boolean,
  propensity: number,
): SampleRatio {
  const isSame = ratio.propensity === propensity;
  const canary = isSame ? ratio.canary : 0;
  const current = isSame ? ratio.current : 0;
  return {
    propensity,
    canary: isCanary ? canary + 1 : canary,
    current: isCanary ? current : current + 1,
    logE: ratio.logE + sampleRatioStep(isCanary, propensity, canary, current),
  };
}
