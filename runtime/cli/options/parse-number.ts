/**
 * A whole number of at least 1.
 *
 * @throws RangeError when it is none
 */
export function parseCount(text: string): number {
  const count = /^\d+$/.test(text) ? Number(text) : NaN;
  if (!(count >= 1) || !Number.isSafeInteger(count)) {
    throw new RangeError(`"${text}" is not a whole number of at least 1`);
  }
  return count;
}

/** More than this times the baseline is no limit any more. */
export const HIGHEST_FACTOR = 1000;

/**
 * A factor of at least 1.
 *
 * @throws RangeError when it is none
 */
export function parseFactor(text: string): number {
  const factor = /^\d+(\.\d+)?$/.test(text) ? Number(text) : NaN;
  if (!(factor >= 1) || factor > HIGHEST_FACTOR) {
    throw new RangeError(`"${text}" is not a factor from 1 to ${HIGHEST_FACTOR}`);
  }
  return factor;
}
