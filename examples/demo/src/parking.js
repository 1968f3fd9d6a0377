const FREE_MINUTES = 15;
const CENTS_PER_HOUR = 250;
const CENTS_PER_DAY = 2000;
const MINUTES_PER_DAY = 24 * 60;

/** What a stay costs, in cents: every hour that has begun, no more than the price of a day. */
export function fee(minutes) {
  if (!Number.isInteger(minutes) || minutes < 0) {
    throw new RangeError(`minutes must be a whole number of at least 0, not ${minutes}`);
  }
  if (minutes <= FREE_MINUTES) return 0;
  const days = Math.floor(minutes / MINUTES_PER_DAY);
  const hours = Math.ceil((minutes % MINUTES_PER_DAY) / 60);
  return days * CENTS_PER_DAY + Math.min(hours * CENTS_PER_HOUR, CENTS_PER_DAY);
}

/** The number of the first free space, from 1. */
export function firstFree(taken) {
  let space = 1;
  while (taken.has(space)) space++;
  return space;
}
