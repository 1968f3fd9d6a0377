import type { CallbackActorLogic, EventObject, PromiseActorLogic } from "xstate";
import type { CampaignEnd, StatusCounts } from "./events.ts";

/**
 * What `preflight` and `baseline` are given. (campaign, attempt) is the idempotency key; `attempt`
 * rises with each call of any port over the campaign's life.
 */
export interface CampaignWorkInput {
  readonly campaign: string;
  readonly attempt: number;
}

/** What `preflight` resolves to. */
export interface Preflight {
  /** Variants that the pool is to score, twins of another one included. */
  readonly planned: number;
  /** Verdicts that are known without running anything: a patch that does not apply, or is empty. */
  readonly rejected: StatusCounts;
}

/** What `baseline` resolves to: the commands pass on the unpatched payload. */
export interface Baseline {
  /** The budget of each command, in milliseconds, by the command's text. */
  readonly timeoutMs: { readonly [command: string]: number };
  /** How long the commands took together, in milliseconds. */
  readonly durationMs: number;
}

/** What `pool` is given. */
export interface PoolInput {
  readonly campaign: string;
  readonly planned: number;
  readonly baseline: Baseline;
}

/** What `close` is given. */
export interface CloseInput extends CampaignWorkInput {
  /** What the campaign has come to so far, never `void`. Only `complete` has controls to run. */
  readonly end: CampaignEnd;
}

/** What `close` resolves to: whether the closing controls say that the run measured nothing. */
export interface Closed {
  readonly void: boolean;
  /** Which control said so, `null` where `void` is false. */
  readonly reason: string | null;
}

/** What a campaign asks of its host. The promise ports fail with a `Failure`. */
export interface CampaignPorts {
  /** Captures the payload and tries every patch, before any sidecar boots. */
  readonly preflight: PromiseActorLogic<Preflight, CampaignWorkInput>;
  /** Runs the commands on the unpatched payload; fails with the code of what is wrong. */
  readonly baseline: PromiseActorLogic<Baseline, CampaignWorkInput>;
  /** Runs the variants and sends each {@link PoolEvent} as it happens. Stopped by CANCEL. */
  readonly pool: CallbackActorLogic<EventObject, PoolInput>;
  /** Runs the closing controls and cleans up: no sidecar stays behind. */
  readonly close: PromiseActorLogic<Closed, CloseInput>;
}
