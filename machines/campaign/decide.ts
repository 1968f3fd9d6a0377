import type { RetryPolicy } from "../backoff.ts";
import type { Failure } from "../failure.ts";
import type { VerdictStatus } from "../variant-run/verdict.ts";
import type { CampaignCounts, CampaignEnd, StatusCounts } from "./events.ts";

/** The campaign's states that try a port more than once. */
export type CampaignPhase = "preflight" | "baseline" | "closing";

/**
 * Whether a port of the campaign is tried again. A sidecar lost on the way is made up for by the
 * port itself when it is called again.
 */
export function mayRetry(failure: Failure, policy: RetryPolicy, tries: number): boolean {
  return failure.class !== "permanent" && tries < policy.maxAttempts;
}

/** The code of a baseline's failure that began nowhere: no sidecar came up. */
export const NO_SIDECAR = "no-sidecar";

/**
 * The end that a phase gives up with. Only a permanent failure of the baseline tells of the user's
 * commands: a defect (`unexpected`), a sidecar that was lost and one that never came up do not.
 */
export function endAfter(phase: CampaignPhase, failure: Failure): CampaignEnd {
  const isTheirs = failure.class === "permanent" && failure.code !== "unexpected" &&
    failure.code !== NO_SIDECAR;
  return phase === "baseline" && isTheirs ? "baseline-failed" : "failed";
}

/** The counts with one more verdict. */
export function withVerdict(counts: CampaignCounts, status: VerdictStatus): CampaignCounts {
  return { ...counts, [status]: counts[status] + 1 };
}

/** The counts with one verdict taken back. */
export function withoutVerdict(counts: CampaignCounts, status: VerdictStatus): CampaignCounts {
  return { ...counts, [status]: Math.max(0, counts[status] - 1), revoked: counts.revoked + 1 };
}

/** The counts with the pool's own in place of those that were made from its events. */
export function withTally(
  counts: CampaignCounts,
  tally: StatusCounts,
  revoked: number,
): CampaignCounts {
  const { killed, survived, timeout, error, skipped } = tally;
  return { ...counts, killed, survived, timeout, error, skipped, revoked };
}
