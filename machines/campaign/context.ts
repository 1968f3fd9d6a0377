import { retryDefaults, retryDelay, type RetryPolicy } from "../backoff.ts";
import type { Failure } from "../failure.ts";
import type { CampaignCounts, CampaignEnd, CampaignInput, CampaignOutput } from "./events.ts";
import type { Baseline, CampaignWorkInput, CloseInput, PoolInput } from "./ports.ts";

/** What a campaign remembers: figures, never results. */
export interface CampaignContext {
  readonly campaign: string;
  readonly retry: RetryPolicy;
  /** Calls of the promise ports so far. */
  readonly attempt: number;
  /** Calls of the port in this visit of the phase. */
  readonly tries: number;
  readonly counts: CampaignCounts;
  /** `null` until the baseline has passed. */
  readonly baseline: Baseline | null;
  /** The last failure of a port. */
  readonly failure: Failure | null;
  readonly end: CampaignEnd;
  readonly reason: string | null;
}

/** The context a campaign begins with. */
export function contextFrom(input: CampaignInput): CampaignContext {
  const { campaign, retry = retryDefaults } = input;
  return {
    campaign,
    retry,
    attempt: 0,
    tries: 0,
    counts: { planned: 0, killed: 0, survived: 0, timeout: 0, error: 0, skipped: 0, revoked: 0 },
    baseline: null,
    failure: null,
    end: "complete",
    reason: null,
  };
}

/** How long to wait before the next try of a port, in milliseconds. */
export function waitOf(context: CampaignContext): number {
  const { campaign, attempt, tries, retry, failure } = context;
  return retryDelay(retry, tries, failure, `${campaign}/${attempt}`);
}

/** What the ports `preflight` and `baseline` are given. */
export function workInput({ campaign, attempt }: CampaignContext): CampaignWorkInput {
  return { campaign, attempt };
}

/** What the port `pool` is given; it is only called once the baseline has passed. */
export function poolInput({ campaign, counts, baseline }: CampaignContext): PoolInput {
  const { planned } = counts;
  return { campaign, planned, baseline: baseline ?? { timeoutMs: {}, durationMs: 0 } };
}

/** What the port `close` is given. */
export function closeInput({ campaign, attempt, end }: CampaignContext): CloseInput {
  return { campaign, attempt, end };
}

/** The output of a campaign that has finished. */
export function outputOf({ end, counts, reason }: CampaignContext): CampaignOutput {
  return { end, counts, reason };
}
