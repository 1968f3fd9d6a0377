import type { RetryPolicy } from "../backoff.ts";
import type { Failure } from "../failure.ts";

/** What a sidecar does about a failure of `boot` or `sync`. */
export type AfterStartFailure = "retry" | "restart" | "give-up";

/** What the decisions look at. */
export interface SidecarLimits {
  /** Calls of the port in this visit of the state, the failed one included. */
  readonly tries: number;
  /** Losses so far that are not forgotten. */
  readonly restarts: number;
  readonly maxRestarts: number;
}

/**
 * `retry`: wait, then the same port again. `restart`: it was there and was lost, which counts as a loss.
 * `give-up`: destroy it.
 */
export function afterStartFailure(
  failure: Failure,
  policy: RetryPolicy,
  limits: SidecarLimits,
): AfterStartFailure {
  switch (failure.class) {
    case "transient":
      return limits.tries < policy.maxAttempts ? "retry" : "give-up";
    case "sidecar-lost":
      return mayRestart(limits) ? "restart" : "give-up";
    case "permanent":
      return "give-up";
  }
}

/** Whether `attach` is tried again. Whatever else it fails with has lost the sidecar. */
export function mayReattach(
  failure: Failure,
  policy: RetryPolicy,
  limits: Pick<SidecarLimits, "tries">,
): boolean {
  return failure.class === "transient" && limits.tries < policy.maxAttempts;
}

/** Whether one more loss is made up for by booting again. */
export function mayRestart(limits: Pick<SidecarLimits, "restarts" | "maxRestarts">): boolean {
  return limits.restarts < limits.maxRestarts;
}

/**
 * Whether `destroy` is tried again. A connection that was lost does not end the sidecar, so it is
 * as good as a transient failure here.
 */
export function mayRetryDestroy(
  failure: Failure,
  policy: RetryPolicy,
  limits: Pick<SidecarLimits, "tries">,
): boolean {
  return failure.class !== "permanent" && limits.tries < policy.maxAttempts;
}
