import type { Clock } from "../../clock.ts";

/** A signal that ends at a time limit, or with another one. */
export interface TimeLimit {
  readonly signal: AbortSignal;
  /** Whether it was the time limit that ended it. */
  readonly expired: () => boolean;
  /** Lets go of the timer. */
  readonly clear: () => void;
}

/** Starts a time limit on `clock`. `AbortSignal.timeout` cannot be moved by hand. */
export function timeLimit(clock: Clock, limitMs: number, signal: AbortSignal): TimeLimit {
  const controller = new AbortController();
  let expired = false;
  const stop = () => controller.abort(signal.reason);
  if (signal.aborted) stop();
  else signal.addEventListener("abort", stop, { once: true });
  const timer = clock.setTimeout(() => {
    expired = !controller.signal.aborted;
    controller.abort(new Error(`${limitMs} ms are over`));
  }, limitMs);
  return {
    signal: controller.signal,
    expired: () => expired,
    clear: () => {
      clock.clearTimeout(timer);
      signal.removeEventListener("abort", stop);
    },
  };
}
