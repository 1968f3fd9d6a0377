import {
  bootRetryDefaults,
  retryDefaults,
  retryDelay,
  type RetryPolicy,
  syncRetryDefaults,
} from "../backoff.ts";
import type { Failure } from "../failure.ts";
import type { JsonValue } from "../ports.ts";
import type { SidecarInput, SidecarOutput, SidecarPhase } from "./events.ts";
import type { AttachInput, BootInput, DestroyInput, SyncInput, WatchInput } from "./ports.ts";

/** What a sidecar remembers. */
export interface SidecarContext {
  readonly sidecar: string;
  readonly spec: JsonValue;
  readonly retry: RetryPolicy;
  readonly syncRetry: RetryPolicy;
  readonly reattachRetry: RetryPolicy;
  readonly destroyRetry: RetryPolicy;
  readonly maxRestarts: number;
  readonly quietMs: number;
  readonly graceMs: number;
  /** How to attach, `null` until `boot` has come back, and again once the sidecar is lost. */
  readonly endpoint: JsonValue;
  /** Who holds it. */
  readonly lease: string | null;
  /** What is tried now, or was last: whose policy counts. */
  readonly phase: SidecarPhase;
  /** Calls of `boot`, `sync`, `attach` and `destroy` so far. */
  readonly attempt: number;
  /** Calls of the port in this visit of the phase. */
  readonly tries: number;
  /** Losses that are not forgotten yet. */
  readonly restarts: number;
  /** The last failure of a port, or the last loss. */
  readonly failure: Failure | null;
  /** Why it is being destroyed, `null` until it is. */
  readonly reason: string | null;
  /** The failure that it was given up for, if any. */
  readonly cause: Failure | null;
  readonly destroyed: boolean;
}

/** The context a sidecar begins with. */
export function contextFrom(input: SidecarInput): SidecarContext {
  const {
    sidecar,
    spec,
    retry = bootRetryDefaults,
    syncRetry = syncRetryDefaults,
    reattachRetry = retryDefaults,
    destroyRetry = retryDefaults,
    maxRestarts = 3,
    quietMs = 300_000,
    graceMs = 30_000,
  } = input;
  return {
    sidecar,
    spec,
    retry,
    syncRetry,
    reattachRetry,
    destroyRetry,
    maxRestarts,
    quietMs,
    graceMs,
    endpoint: null,
    lease: null,
    phase: "booting",
    attempt: 0,
    tries: 0,
    restarts: 0,
    failure: null,
    reason: null,
    cause: null,
    destroyed: false,
  };
}

/** The policy that counts now. */
export function policyOf(context: SidecarContext): RetryPolicy {
  switch (context.phase) {
    case "booting":
      return context.retry;
    case "syncing":
      return context.syncRetry;
    case "reattaching":
      return context.reattachRetry;
    case "draining":
      return context.destroyRetry;
  }
}

/** How long to wait before the next try of a port, in milliseconds. */
export function waitOf(context: SidecarContext): number {
  const { sidecar, attempt, tries, failure } = context;
  return retryDelay(policyOf(context), tries, failure, `${sidecar}/${attempt}`);
}

/** How long to wait before a lost sidecar is booted again, in milliseconds. */
export function restartWaitOf(context: SidecarContext): number {
  const { sidecar, retry, restarts, failure } = context;
  return retryDelay(retry, restarts, failure, `${sidecar}/restart/${restarts}`);
}

/** What the port `boot` is given: whatever comes after a loss is to be a new one. */
export function bootInput({ sidecar, spec, attempt, tries, restarts }: SidecarContext): BootInput {
  return { sidecar, spec, attempt, since: attempt - tries + 1, fresh: restarts > 0 };
}

/** What the ports `sync` and `attach` are given. */
export function connectionInput(
  { sidecar, spec, endpoint, attempt }: SidecarContext,
): SyncInput & AttachInput {
  return { sidecar, spec, endpoint, attempt };
}

/** What the port `watch` is given. */
export function watchInput({ sidecar, spec, endpoint }: SidecarContext): WatchInput {
  return { sidecar, spec, endpoint };
}

/** What the port `destroy` is given. */
export function destroyInput({ sidecar, spec, endpoint, attempt }: SidecarContext): DestroyInput {
  return { sidecar, spec, endpoint, attempt };
}

/** The output of a sidecar that has stopped. */
export function outputOf(context: SidecarContext): SidecarOutput {
  const { sidecar, destroyed, reason, cause, failure } = context;
  return { sidecar, destroyed, reason: reason ?? "unexpected", cause, failure };
}
