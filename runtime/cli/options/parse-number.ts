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

/**
 * A factor of at least 1.
 *
 * @throws RangeError when it is none
 */
export function parseFactor(text: string): number {
  const factor = /^\d+(\.\d+)?$/.test(text) ? Number(text) : NaN;
  if (!(factor >= 1) || !Number.isFinite(factor)) {
    throw new RangeError(`"${text}" is not a factor of at least 1`);
  }
  return factor;
}
