import type { Clock } from "../clock.ts";

/** How long an attempt may take, and what ends it. */
export interface AttemptLimits {
  readonly deadlineMs: number;
  readonly clock: Clock;
  readonly signal: AbortSignal;
  /** The error once the deadline has passed. */
  readonly late: () => Error;
}

/** Settles an {@link attempt}; only the first call counts. */
export interface Settle<Result> {
  readonly resolve: (result: Result) => void;
  readonly reject: (error: unknown) => void;
}

/**
 * Something that either comes about, fails, takes too long or is aborted: whichever is first. An
 * abort goes before an error, as errors of aborted things look like those of broken ones.
 *
 * @param start begins it, and answers what gives it up: called once, unless it has come about
 * @throws what `start` rejected with, `late()`, or the signal's reason
 */
export function attempt<Result>(
  { deadlineMs, clock, signal, late }: AttemptLimits,
  start: (settle: Settle<Result>) => () => void,
): Promise<Result> {
  return new Promise((resolve, reject) => {
    let state: "open" | "done" | "failed" = "open";
    let giveUp = (): void => {};
    const settle = (next: "done" | "failed"): boolean => {
      if (state !== "open") return false;
      state = next;
      clock.clearTimeout(timer);
      signal.removeEventListener("abort", abort);
      return true;
    };
    const fail = (error: unknown): void => {
      if (!settle("failed")) return;
      giveUp();
      reject(signal.aborted ? signal.reason : error);
    };
    const abort = (): void => fail(signal.reason);
    const timer = clock.setTimeout(() => fail(late()), deadlineMs);
    signal.addEventListener("abort", abort, { once: true });
    if (signal.aborted) return abort();
    giveUp = start({
      resolve: (result) => {
        if (settle("done")) resolve(result);
      },
      reject: fail,
    });
    if ((state as string) === "failed") giveUp();
  });
}
