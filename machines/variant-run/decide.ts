import type { Failure } from "../failure.ts";
import type { TestOutcome } from "./verdict.ts";

/** What a run does about a failure of one of its ports. */
export type AfterFailure = "retry" | "rebook" | "give-up";

/** What {@link afterFailure} looks at. */
export interface FailureLimits {
  /** Attempts made in this phase, the failed one included. */
  readonly tries: number;
  readonly retry: { readonly maxAttempts: number };
  /** Sidecars lost before this failure. */
  readonly losses: number;
  readonly maxLosses: number;
}

/**
 * `retry`: wait, then the same phase again. `rebook`: back to booting, on another sidecar.
 * `give-up`: scored as an error.
 */
export function afterFailure(failure: Failure, limits: FailureLimits): AfterFailure {
  switch (failure.class) {
    case "transient":
      return limits.tries < limits.retry.maxAttempts ? "retry" : "give-up";
    case "sidecar-lost":
      return limits.losses < limits.maxLosses ? "rebook" : "give-up";
    case "permanent":
      return "give-up";
  }
}

/**
 * Whether an outcome is only believed after a run alone: a timeout beside other runs may be theirs.
 */
export function mustConfirm(outcome: TestOutcome, alone: boolean): boolean {
  return outcome.status === "timeout" && !alone;
}
