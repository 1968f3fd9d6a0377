import type { Failure } from "./failure.ts";

/** How often and how patiently a failed attempt is repeated. Plain data, part of a machine's input. */
export interface RetryPolicy {
  /** Attempts in all, the first one included; a whole number from 1. */
  readonly maxAttempts: number;
  /** The delay before the second attempt, in milliseconds, before jitter. */
  readonly baseMs: number;
  /** What the delay is multiplied by after each further attempt. */
  readonly factor: number;
  /** The longest delay in milliseconds. */
  readonly capMs: number;
  /** The part of the delay that is drawn at random: 0 is none, 1 is "full jitter". */
  readonly jitter: number;
}

/** For work on a sidecar that has answered before: two more tries, then the sidecar is to blame. */
export const retryDefaults: RetryPolicy = {
  maxAttempts: 3,
  baseMs: 500,
  factor: 2,
  capMs: 8_000,
  jitter: 1,
};

/**
 * For a machine that is starting up, where refused connections are normal: eleven waits of half a
 * minute together on average, of one minute at most, beside what the attempts themselves take.
 */
export const bootRetryDefaults: RetryPolicy = { ...retryDefaults, maxAttempts: 12 };

/** For bringing a payload to a sidecar, which goes on where it stopped. */
export const syncRetryDefaults: RetryPolicy = { ...retryDefaults, maxAttempts: 5 };

/**
 * The delay after failed attempt number `attempt` (from 1), in milliseconds:
 * `min(capMs, baseMs × factor^(attempt − 1)) × (1 − jitter × random01)`.
 *
 * @param random01 from 0 to 1; it is data, so that a delay can be computed again
 * @throws {RangeError} where `attempt` is not a whole number from 1, or `random01` not in [0, 1]
 */
export function backoff(
  policy: Omit<RetryPolicy, "maxAttempts">,
  attempt: number,
  random01: number,
): number {
  if (!Number.isSafeInteger(attempt) || attempt < 1) {
    throw new RangeError(`Cannot compute a delay: attempt must be 1 or more, it is ${attempt}`);
  }
  if (!(random01 >= 0 && random01 <= 1)) {
    throw new RangeError(`Cannot compute a delay: random01 must be in [0, 1], it is ${random01}`);
  }
  const full = Math.min(policy.capMs, policy.baseMs * policy.factor ** (attempt - 1));
  return Math.max(0, Math.round(full * (1 - policy.jitter * random01)));
}

/**
 * The delay of a machine's `waiting` state: {@link backoff} with jitter from `seed`, and not shorter
 * than the failure asks for.
 *
 * @param tries failed attempts so far
 * @param seed names this very attempt, as in `campaign/variant/attempt`
 */
export function retryDelay(
  policy: RetryPolicy,
  tries: number,
  failure: Failure | null,
  seed: string,
): number {
  const delay = backoff(policy, Math.max(1, tries), unitFrom(seed));
  return Math.max(delay, failure?.retryAfterMs ?? 0);
}

/**
 * A number in [0, 1) that depends on `seed` alone: FNV-1a over the UTF-16 units, finished by one
 * round of mulberry32 so that neighbouring seeds lie far apart.
 */
export function unitFrom(seed: string): number {
  let hash = 0x811c9dc5;
  for (let index = 0; index < seed.length; index++) {
    hash = Math.imul(hash ^ seed.charCodeAt(index), 0x01000193);
  }
  let mixed = (hash + 0x6d2b79f5) | 0;
  mixed = Math.imul(mixed ^ (mixed >>> 15), mixed | 1);
  mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61);
  return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32;
}
