import type { JsonValue } from "../ports.ts";

/** What becomes of a canary that expires or whose champion is replaced. */
export type CanaryEnding = "reject" | "shelve";

/** What a version's actor is started with. */
export interface CanaryVersionInput {
  /** The stream that the version belongs to, as in `planner`. */
  readonly stream: string;
  /** The version, as in `planner@v7`. */
  readonly version: string;
  /** Who or what published it. */
  readonly by: string;
  /**
   * The first version of its stream: it is promoted in the transaction that makes it. Nobody is told
   * that it waits, it cannot be a canary, and there is nothing to watch it against.
   * @default false
   */
  readonly first?: boolean;
  /**
   * How long a canary may stay undecided, in milliseconds.
   * @default 604_800_000 (seven days)
   */
  readonly expireMs?: number;
  /**
   * How long a promoted version is watched, in milliseconds; 0 for not at all.
   * @default 0
   */
  readonly watchMs?: number;
  /**
   * `reject`: a canary that expires is rejected. `shelve`: it is pending again.
   * @default "reject"
   */
  readonly onExpire?: CanaryEnding;
  /**
   * The same, for a canary whose champion is replaced.
   * @default "reject"
   */
  readonly onSupersede?: CanaryEnding;
}

/** Who or what caused a transition, why, and what it had seen. */
export interface Cause {
  /** As in `person:ann`, `judge:betting`, `timer`. */
  readonly by: string;
  readonly reason: string;
  /** What the decision was made from, `null` where nothing was looked at. */
  readonly evidence: JsonValue;
}

/** What every event says of its cause. */
export interface CanaryVersionTold {
  readonly by: string;
  readonly reason: string;
  /** @default null */
  readonly evidence?: JsonValue;
  /**
   * The trial that is meant: a shelved version may be a canary again, and what was meant for an
   * earlier trial does not touch a later one.
   * @default whichever it is
   */
  readonly trial?: number;
}

/** What a judge can say. */
export type Decision = "reject" | "promote" | "hold";

/** What a version may be told. An event that a state does not know is ignored. */
export type CanaryVersionEvent =
  /** A pending version becomes a canary. */
  | CanaryVersionTold & { readonly type: "START" }
  /**
   * The judge has come to a verdict about a trial. `hold` holds without keeping a later verdict from
   * promoting.
   */
  | CanaryVersionTold & {
    readonly type: "DECIDE";
    readonly verdict: Decision;
    readonly trial: number;
  }
  /** A person, or the first version's publication: current, whatever the judge thinks. */
  | CanaryVersionTold & { readonly type: "PROMOTE" }
  /** Rejects a pending version or a canary. */
  | CanaryVersionTold & { readonly type: "REJECT" }
  /**
   * Keeps a canary from being promoted by the judge until RESUME. It keeps its share, goes on being
   * judged, can still be rejected, and expires when it is due.
   */
  | CanaryVersionTold & { readonly type: "HOLD" }
  /** Ends a hold. A promotion that the judge has decided meanwhile happens now. */
  | CanaryVersionTold & { readonly type: "RESUME" }
  /** The canary's time is up. The machine's own timer does the same when nobody says it. */
  | CanaryVersionTold & { readonly type: "EXPIRE" }
  /** Another version has become current. */
  | CanaryVersionTold & { readonly type: "SUPERSEDE" }
  /** A promoted version does worse than hoped while it is watched. */
  | CanaryVersionTold & { readonly type: "REGRESS" };

/** What a version announces. The engine makes each an outbox row of the transition that decided it. */
export type CanaryVersionAnnouncement =
  | "candidate.awaiting_promotion"
  | "candidate.canary_started"
  | "candidate.held"
  | "candidate.resumed"
  /** The judge has rejected it. */
  | "candidate.rolled_back"
  /** The judge has promoted it. */
  | "candidate.auto_promoted"
  /** A person has promoted it, or it is a stream's first version. */
  | "candidate.promoted"
  /** A person has rejected it, or its champion was replaced. */
  | "candidate.rejected"
  | "candidate.expired"
  /** It was current, and another version is now. */
  | "candidate.superseded"
  /** The watch window went by without a complaint. */
  | "candidate.settled"
  /** It did worse than hoped within the watch window. It is still current: revert it or not. */
  | "candidate.regressed";

/** Where a version is, as history shows it. */
export type CanaryVersionStatus = "pending" | "canary" | "current" | "rejected" | "superseded";

/** An announcement. */
export interface CanaryVersionEmitted extends Cause {
  readonly type: CanaryVersionAnnouncement;
  readonly stream: string;
  readonly version: string;
  /** 0 before the first START. */
  readonly trial: number;
  /** `null` for the publication. */
  readonly from: CanaryVersionStatus | null;
  readonly to: CanaryVersionStatus;
}

/** The output of a version whose life is over. */
export interface CanaryVersionOutput extends Cause {
  readonly stream: string;
  readonly version: string;
  readonly end: "rejected" | "superseded";
}
