/** Answers a number in [0, 1), as `Math.random` does. Injected, so that a run can be repeated from a seed. */
export type Random = () => number;

/** The machine's own randomness. */
export const systemRandom: Random = () => Math.random();
