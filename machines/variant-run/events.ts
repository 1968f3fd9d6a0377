import type { RetryPolicy } from "../backoff.ts";
import type { Failure } from "../failure.ts";

/** The states of a variant run that do work. */
export type VariantRunPhase = "booting" | "syncing" | "patching" | "testing";

/** What a variant run is started with. */
export interface VariantRunInput {
  readonly campaign: string;
  readonly variant: string;
  /**
   * Which run of this variant it is. A verdict that was taken back is not undone: a new run, with an
   * id of its own, starts with the next generation.
   * @default 1
   */
  readonly generation?: number;
  /**
   * For each of the four phases by itself; counted anew when a phase is entered again.
   * @default retryDefaults
   */
  readonly retry?: RetryPolicy;
  /**
   * How many lost sidecars are made up for by another one. One more ends in `error / sidecar-lost`.
   * @default 3
   */
  readonly maxLosses?: number;
}

/** What a variant run may be told. Anything that arrives once it is scored is ignored. */
export type VariantRunEvent =
  /** Stop and score `skipped` with this reason. */
  | { readonly type: "CANCEL"; readonly reason: string }
  /** The sidecar is gone. Ignored unless the run holds a lease of this very sidecar. */
  | { readonly type: "LOST"; readonly sidecar: string; readonly failure: Failure };

/** What a variant run announces. */
export type VariantRunEmitted = {
  /** A transient failure: the phase is tried again after `delayMs`. */
  readonly type: "RETRYING";
  readonly campaign: string;
  readonly variant: string;
  readonly phase: VariantRunPhase;
  /** The attempt that failed. */
  readonly attempt: number;
  /** Port calls in this visit of the phase: 1 at the first retry. */
  readonly tries: number;
  readonly failure: Failure;
  readonly delayMs: number;
};

/** A failure that a run went through, for the eyes of people. */
export interface PastFailure {
  readonly phase: VariantRunPhase;
  readonly attempt: number;
  readonly failure: Failure;
}
