import type { RetryPolicy } from "../backoff.ts";
import type { Failure } from "../failure.ts";
import type { JsonValue } from "../ports.ts";

/** What a sidecar tries again, by the state that it is in meanwhile. */
export type SidecarPhase = "booting" | "syncing" | "reattaching" | "draining";

/** What a sidecar actor is started with. */
export interface SidecarInput {
  /** The sidecar's name, unique for the provider: what it is labelled with and found again by. */
  readonly sidecar: string;
  /** What the provider is to make; the machine only hands it on. */
  readonly spec: JsonValue;
  /**
   * For `boot`.
   * @default bootRetryDefaults
   */
  readonly retry?: RetryPolicy;
  /**
   * For `sync`.
   * @default syncRetryDefaults
   */
  readonly syncRetry?: RetryPolicy;
  /**
   * For `attach`. When it is exhausted, the sidecar is lost.
   * @default retryDefaults
   */
  readonly reattachRetry?: RetryPolicy;
  /**
   * For `destroy`.
   * @default retryDefaults
   */
  readonly destroyRetry?: RetryPolicy;
  /**
   * How often a lost sidecar is booted again. One loss more and it is destroyed.
   * @default 3
   */
  readonly maxRestarts?: number;
  /**
   * How long it must stay up until earlier losses are forgotten, in milliseconds.
   * @default 300_000
   */
  readonly quietMs?: number;
  /**
   * How long DRAIN waits for the lease to be given back, in milliseconds.
   * @default 30_000
   */
  readonly graceMs?: number;
}

/** What a sidecar may be told. An event that a state does not know is ignored. */
export type SidecarEvent =
  /**
   * Takes the sidecar where it is ready and its connection stands. `by` names the lease, as in `campaign/variant~1#4`; the
   * same name again changes nothing, another one is refused. `context.lease` says who has it.
   */
  | { readonly type: "LEASE"; readonly by: string }
  /** Gives the sidecar back. Ignored unless `by` holds it. */
  | { readonly type: "RELEASE"; readonly by: string }
  /** Destroys the sidecar, after its lease has been given back or the grace is over. */
  | { readonly type: "DRAIN" }
  /** From the port `watch`: the connection is gone, and the sidecar perhaps is not. */
  | DisconnectedEvent
  /** From the port `watch`: the sidecar is gone. */
  | LostEvent;

/**
 * What the port `watch` sends when a connection that stood is lost. The lease is kept while the port
 * `attach` dials again; another one is not given meanwhile.
 */
export interface DisconnectedEvent {
  readonly type: "DISCONNECTED";
  readonly failure: Failure;
}

/** What the port `watch` sends when dialling again cannot help. */
export interface LostEvent {
  readonly type: "LOST";
  readonly failure: Failure;
}

/** What a sidecar announces. */
export type SidecarEmitted =
  /** A transient failure: the phase's port is tried again after `delayMs`. */
  | {
    readonly type: "RETRYING";
    readonly sidecar: string;
    readonly phase: SidecarPhase;
    /** The attempt that failed. */
    readonly attempt: number;
    /** Calls of the port in this visit of the phase: 1 at the first retry. */
    readonly tries: number;
    readonly failure: Failure;
    readonly delayMs: number;
  }
  /** It was lost while `by` held it (`null`: nobody did). That lease is void. */
  | {
    readonly type: "SIDECAR_LOST";
    readonly sidecar: string;
    readonly by: string | null;
    readonly failure: Failure;
  };

/** The output of a sidecar. */
export interface SidecarOutput {
  readonly sidecar: string;
  /** `false`: it may still exist. Report it by name. */
  readonly destroyed: boolean;
  /** `drained`, `sidecar-lost`, or the code of the failure that it was given up for. */
  readonly reason: string;
  /** The failure that it was given up for; `null` where it was drained. */
  readonly cause: Failure | null;
  /** What kept it from being destroyed, else `null`. */
  readonly failure: Failure | null;
}
