import type { PromiseActorLogic } from "xstate";
import type { TestOutcome } from "./verdict.ts";

/**
 * `attempt` in every input rises with each call of any port and is unique over the life of the run:
 * (campaign, variant, generation, attempt) is the idempotency key. A call may be run again with the
 * same key after a crash, and must then attach to, or undo, what the first call began.
 */
export interface LeaseInput {
  readonly campaign: string;
  readonly variant: string;
  readonly generation: number;
  readonly attempt: number;
  /** No other variant may run beside this one: the lease is for confirming a timeout. */
  readonly alone: boolean;
}

/** What `lease` resolves to: the id of a sidecar that is ready and now this run's. */
export interface Lease {
  readonly sidecar: string;
}

/** What `sync` and `patch` are given. */
export interface SidecarWorkInput {
  readonly campaign: string;
  readonly variant: string;
  readonly generation: number;
  readonly attempt: number;
  readonly sidecar: string;
}

/** What `patch` resolves to: the tree id of the payload with the patch applied. */
export interface Patched {
  readonly tree: string;
}

/** What `test` is given. */
export interface TestInput extends SidecarWorkInput {
  /** The tree that `patch` answered: what must be on the sidecar when the commands start. */
  readonly tree: string;
  /** The confirming run after a timeout: every command gets twice its budget. */
  readonly alone: boolean;
}

/**
 * What the action `release` is given. `attempt` is the one the lease was asked with; (campaign,
 * variant, generation, attempt) names the lease, so that a late repeat cannot end a later lease.
 */
export interface ReleaseParams {
  readonly campaign: string;
  readonly variant: string;
  readonly generation: number;
  readonly attempt: number;
  /**
   * `null`: the run was cancelled before it heard of this lease. Forget the request, or take the
   * sidecar back where it was given meanwhile.
   */
  readonly sidecar: string | null;
}

/** What a variant run asks of its host. The promise ports fail with a `Failure`. */
export interface VariantRunPorts {
  /** Waits for a free sidecar. A failed lease holds nothing. */
  readonly lease: PromiseActorLogic<Lease, LeaseInput>;
  /** Brings the payload onto the sidecar. */
  readonly sync: PromiseActorLogic<void, SidecarWorkInput>;
  /** Applies the variant's patch to the payload. */
  readonly patch: PromiseActorLogic<Patched, SidecarWorkInput>;
  /** Runs the commands in order until one decides. */
  readonly test: PromiseActorLogic<TestOutcome, TestInput>;
  /**
   * Gives a lease back, once for each lease; the run does not wait for it. Idempotent, since the
   * engine runs it at least once, and again after a rejection, then perhaps after a later lease of
   * the same run. A bare actor neither awaits nor repeats it: there it must not throw, which would
   * end the actor.
   */
  readonly release: (params: ReleaseParams) => void | Promise<void>;
}
