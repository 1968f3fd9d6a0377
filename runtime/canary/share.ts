/** Buckets of the hash: 2³². */
const BUCKETS = 0x1_0000_0000;

/** How many of the 2³² buckets a share means; the canary gets the lowest of them. */
export function bucketsOf(share: number): number {
  return Math.round(share * BUCKETS);
}

/** The probability that goes with a number of buckets. It, not the share, is what was drawn with. */
export function propensityOf(buckets: number): number {
  return buckets / BUCKETS;
}

/** Why a canary cannot have this share of the traffic, or `undefined` where it can. */
export function shareRefusal(share: number): string | undefined {
  if (share === 1) {
    return "must be below 1: with all of the traffic on the canary, nothing is left to compare " +
      "it with, and it could never be decided";
  }
  if (typeof share !== "number" || !(share > 0 && share < 1)) {
    return "must be a number between 0 and 1, as in 0.1";
  }
  const buckets = bucketsOf(share);
  return buckets < 1 || buckets >= BUCKETS
    ? "is too close to 0 or 1 for a hash of 32 bits"
    : undefined;
}
