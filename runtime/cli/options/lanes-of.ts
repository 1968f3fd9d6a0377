/** The most variants that run at once on one host. */
const MOST_LANES = 64;

/**
 * How many variants run at once on each host: `?lanes=3`.
 *
 * @throws RangeError where it is no number from 1 to 64; shows no user
 */
export function lanesOf(target: string): number {
  const [, text = "1"] = /[?&]lanes=([^&]*)/.exec(target) ?? [];
  const lanes = Number(text);
  if (/^\d+$/.test(text) && lanes >= 1 && lanes <= MOST_LANES) return lanes;
  throw new RangeError(
    `lanes must be a number from 1 to ${MOST_LANES}, not "${text}", in ${withoutUser(target)}`,
  );
}

/** An address without its user and password, which may be secrets. */
export function withoutUser(target: string): string {
  return target.replace(/\/\/[^/]*@/, "//…@");
}
