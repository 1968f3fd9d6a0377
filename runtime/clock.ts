/**
 * Where the engine takes the time from. Everything that waits goes through a clock, so a whole run
 * can be moved by hand ({@link ./engine/virtual-clock.ts}).
 */
export interface Clock {
  /** Milliseconds since the Unix epoch. */
  now(): number;
  /** Calls `callback` once, `delayMs` from now. Answers a handle for {@link Clock.clearTimeout}. */
  setTimeout(callback: () => void, delayMs: number): unknown;
  /** Cancels what {@link Clock.setTimeout} answered; a handle that has fired is ignored. */
  clearTimeout(handle: unknown): void;
}

/** The machine's own time. A waiting timer does keep the process alive. */
export const systemClock: Clock = {
  now: () => Date.now(),
  setTimeout: (callback, delayMs) => setTimeout(callback, delayMs),
  clearTimeout: (handle) => clearTimeout(handle as ReturnType<typeof setTimeout>),
};
