import type { RetryPolicy } from "../backoff.ts";
import type { Failure } from "../failure.ts";
import type { VerdictStatus } from "../variant-run/verdict.ts";

/** What a campaign is started with. */
export interface CampaignInput {
  readonly campaign: string;
  /**
   * For `preflight`, `baseline` and `close`, each by itself.
   * @default retryDefaults
   */
  readonly retry?: RetryPolicy;
}

/** How many variants have a verdict, by status. */
export type StatusCounts = { readonly [Status in VerdictStatus]: number };

/** A campaign's figures. The results themselves are the variant runs' own. */
export interface CampaignCounts extends StatusCounts {
  /** Variants that the pool is to score: those without a verdict after the preflight. */
  readonly planned: number;
  /** Verdicts that were taken back. */
  readonly revoked: number;
}

/** What a campaign may be told. An event that a state does not know is ignored. */
export type CampaignEvent =
  /** Stop, clean up, finish as `cancelled`. */
  | { readonly type: "CANCEL"; readonly reason: string }
  | PoolEvent;

/** What the port `pool` sends. */
export type PoolEvent =
  /**
   * Every verdict known now, those of the preflight included, in place of what was counted. Sent
   * first whenever the pool is started again, since it cannot know which VERDICT came through.
   */
  | { readonly type: "TALLY"; readonly counts: StatusCounts; readonly revoked: number }
  /** One more verdict. */
  | { readonly type: "VERDICT"; readonly variant: string; readonly status: VerdictStatus }
  /** A verdict was taken back; `status` is what it was. A VERDICT of the new run follows. */
  | { readonly type: "REVOKED"; readonly variant: string; readonly status: VerdictStatus }
  /** Every planned variant has a verdict. */
  | { readonly type: "POOL_DONE" }
  /** The pool cannot go on. */
  | { readonly type: "POOL_FAILED"; readonly failure: Failure };

/** What a campaign announces. */
export type CampaignEmitted = {
  /** A transient failure: the phase is tried again after `delayMs`. */
  readonly type: "RETRYING";
  readonly campaign: string;
  readonly phase: "preflight" | "baseline" | "closing";
  readonly attempt: number;
  /** Port calls in this visit of the phase: 1 at the first retry. */
  readonly tries: number;
  readonly failure: Failure;
  readonly delayMs: number;
};

/**
 * How a campaign can end. `baseline-failed`: the commands do not pass without a patch. `void`: the
 * closing controls say that nothing was measured. `failed`: preflight, pool or clean-up gave up.
 */
export type CampaignEnd = "complete" | "baseline-failed" | "void" | "cancelled" | "failed";

/** The output of a campaign. */
export interface CampaignOutput {
  readonly end: CampaignEnd;
  readonly counts: CampaignCounts;
  /** `null` with `complete`; else a failure's code, or the reason of CANCEL or of the void run. */
  readonly reason: string | null;
}
