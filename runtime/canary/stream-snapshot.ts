import { SidecanaryError } from "../errors.ts";
import { murmur3 } from "./murmur3.ts";
import { bucketsOf, propensityOf, shareRefusal } from "./share.ts";

/** A canary as routing sees it. */
export interface CanaryState {
  /** The candidate, as in `planner@v8`. */
  readonly version: string;
  /** Which trial of this version it is, from 1. */
  readonly trial: number;
  /** The part of the units that get it, between 0 and 1. */
  readonly share: number;
  /** Which step of the ramp this share is, from 0. */
  readonly step: number;
}

/** A stream as the store has it. */
export interface StreamState {
  readonly stream: string;
  /** Rises with every change: whoever routes can say from which state. */
  readonly revision: number;
  /** The version that is current. */
  readonly current: string;
  readonly canary: CanaryState | null;
}

/** A canary with what routing would compute each time. */
export interface CanarySplit extends CanaryState {
  /** Of the hash: another one in each trial, so that it is not always the same units that try out. */
  readonly seed: number;
  /** A unit whose hash is below gets the canary. */
  readonly threshold: number;
  /** `threshold / 2³²`: the probability that a unit gets the canary. */
  readonly propensity: number;
}

/** A stream that can be routed from: plain data, never changed, swapped as a whole. */
export interface StreamSnapshot extends StreamState {
  readonly canary: CanarySplit | null;
}

/**
 * Makes a stream ready for {@link ./route.ts}.
 *
 * @throws {SidecanaryError} `input-invalid` when the canary's share is not between 0 and 1, or the
 * canary is the current version
 */
export function streamSnapshot(state: StreamState): StreamSnapshot {
  const { stream, revision, current, canary } = state;
  if (canary === null) return { stream, revision, current, canary };
  const { version, trial, share, step } = canary;
  const refusal = shareRefusal(share);
  if (refusal !== undefined) {
    throw new SidecanaryError(
      "input-invalid",
      `Cannot route stream "${stream}": the share of ${version} is ${share}, it ${refusal}.`,
      { source: `stream ${stream}`, entry: version, field: "share" },
    );
  }
  if (version === current) {
    throw new SidecanaryError(
      "input-invalid",
      `Cannot route stream "${stream}": ${version} is current and canary at once. ` +
        "Give a canary of another version, or null.",
      { source: `stream ${stream}`, entry: version, field: "canary" },
    );
  }
  const threshold = bucketsOf(share);
  const seed = murmur3(`${version}#${trial}`, murmur3(stream));
  const propensity = propensityOf(threshold);
  return {
    stream,
    revision,
    current,
    canary: { version, trial, share, step, seed, threshold, propensity },
  };
}
