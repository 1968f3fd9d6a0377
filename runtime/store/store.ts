/**
 * What the engine asks of a place that keeps actors. Stores hold rows and compare numbers; they
 * know nothing of machines. Everything with a shape of its own (snapshots, events, payloads) is
 * JSON text here, so that a row is the same bytes in memory, in SQLite and in PostgreSQL.
 *
 * The promise a store makes: a {@link Commit} happens whole or not at all, and what `commit`
 * answered `committed` survives the death of the process.
 */

/**
 * `active` runs; `done` and `error` are xstate's own ends; `stopped` was ended from outside;
 * `crashed` waits for its supervisor.
 */
export type ActorStatus = "active" | "done" | "error" | "stopped" | "crashed";

/** One actor: the hot row that compare-and-set guards. */
export interface ActorRow {
  readonly id: string;
  /** The machine's registered name. */
  readonly machine: string;
  /** The hash of the machine's definition, a key of the machine table. */
  readonly hash: string;
  /** How many transitions were applied. The initial transition is revision 1. */
  readonly revision: number;
  /** The lowest revision whose journal row is still kept. */
  readonly base: number;
  /** Rises with every change of owner and every restart: the fence for effects. */
  readonly epoch: number;
  readonly status: ActorStatus;
  /** The engine's state of the actor, as JSON text. */
  readonly state: string;
  /** The actor that is told of a crash, or `null`. */
  readonly supervisor: string | null;
  /** Who holds the lease, or `null`. */
  readonly owner: string | null;
  /** When the lease ends, in ms since the epoch; 0 without an owner. */
  readonly leaseUntil: number;
  /** When the last transition was applied, in ms since the epoch. */
  readonly updatedAt: number;
}

/** One applied event. Unique on (actor, revision) and on (actor, eventId). */
export interface JournalRow {
  /** A number that rises over the whole store, in the order of commits. Set by the store. */
  readonly seq: number;
  readonly actor: string;
  readonly revision: number;
  readonly eventId: string;
  /** JSON text. */
  readonly event: string;
  /** Where the event came from: an outbox id, `timer`, or `null` for the outside. */
  readonly cause: string | null;
  readonly at: number;
  /** The edges taken, as JSON text: `[{source, event, targets}]`. */
  readonly edges: string;
  /** What changed in the actor's state, as JSON text. */
  readonly change: string;
}

/** What an outbox row asks for. */
export type OutboxKind = "invoke" | "action" | "announce";

/**
 * `open` is still to be done, or running; `done` was done; `cancelled` is an invoke that its machine
 * left; `dead` was given up, and has a dead letter.
 */
export type OutboxState = "open" | "done" | "cancelled" | "dead";

/** An effect that a transition decided. Its id is the idempotency key: `actor:revision:index`. */
export interface OutboxRow {
  readonly id: string;
  readonly actor: string;
  readonly revision: number;
  readonly index: number;
  readonly kind: OutboxKind;
  /** JSON text. */
  readonly payload: string;
  readonly state: OutboxState;
  /** Not to be tried before, in ms since the epoch. */
  readonly due: number;
  /** How many tries have failed. */
  readonly attempts: number;
  /**
   * The epoch that was handed this row, or `null`. A row is handed out once in an epoch: when the
   * epoch rises or the lease is released, `claimed` of the open rows is `null` again.
   */
  readonly claimed: number | null;
}

/** An event that one actor told another: accepted, not yet applied. Unique on (actor, eventId). */
export interface InboxRow {
  /** The order of arrival. Set by the store. */
  readonly seq: number;
  /** The receiver. */
  readonly actor: string;
  readonly eventId: string;
  /** JSON text. */
  readonly event: string;
  /** The outbox-like id of the transition that told it, or `null`. */
  readonly cause: string | null;
}

/** A delayed event of an actor. Unique on (actor, id). */
export interface TimerRow {
  readonly actor: string;
  readonly id: string;
  /** The revision that set it. */
  readonly revision: number;
  readonly due: number;
  /** JSON text. */
  readonly event: string;
}

/** An event or an effect that will never be applied, and why. Unique on (actor, eventId). */
export interface DeadLetterRow {
  readonly actor: string;
  /** The event's id; for an effect that was given up, the outbox id. */
  readonly eventId: string;
  /** JSON text. */
  readonly event: string;
  readonly reason: string;
  /** JSON text `{name, message, stack?}`, or `null`. */
  readonly error: string | null;
  readonly at: number;
}

/** A definition of a machine, kept so that the past can be shown without the host's code. */
export interface MachineRow {
  readonly hash: string;
  readonly name: string;
  /** JSON text of the machine's structure. */
  readonly definition: string;
  readonly at: number;
}

/** A row of the caller's own: JSON text under a key in a collection. */
export interface RecordRow {
  readonly collection: string;
  readonly key: string;
  readonly value: string;
  /** Rises with every write, from 1. A row that was deleted is forgotten, and begins at 1 again. */
  readonly version: number;
}

/** A write to the caller's own rows, committed with the transitions beside it. */
export interface RecordWrite {
  readonly collection: string;
  readonly key: string;
  /** JSON text, or `null` to delete. */
  readonly value: string | null;
  /**
   * The version that must stand there: 0 for "no row yet". Without it the write is unconditional.
   * Where it does not match, the whole commit answers `record-conflict`.
   */
  readonly expected?: number;
}

/** One transition, ready to be written. */
export interface Transition {
  /** The actor as it shall stand. `owner`, `leaseUntil`, `base` are kept as stored. */
  readonly actor: Omit<ActorRow, "owner" | "leaseUntil" | "base">;
  /**
   * The revision it was computed from, compared with the stored one; 0 for "no such actor yet".
   * Where one commit steps an actor several times, compared with what the step before leaves.
   */
  readonly expected: number;
  /**
   * The epoch it was computed from, compared where given with the one stored before the commit (0
   * without an actor): results of effects are fenced by it. `actor.epoch` is written only where it is
   * higher than the stored one.
   */
  readonly fence?: number;
  readonly journal: Omit<JournalRow, "seq">;
  readonly outbox: readonly Omit<OutboxRow, "claimed">[];
  /**
   * Events for other actors (or itself), in order. One whose (actor, eventId) waits already, was
   * applied or is a dead letter is skipped. The receiver need not exist yet.
   */
  readonly tells: readonly Omit<InboxRow, "seq">[];
  /** Replaces a timer with the same id. Written after `timersCleared`. */
  readonly timersSet: readonly TimerRow[];
  /** Ids of timers to remove; one that is gone is no error. */
  readonly timersCleared: readonly string[];
  /** Outbox ids of this actor that are `done` by this transition; those not open are left alone. */
  readonly settled: readonly string[];
  /** Outbox ids of this actor that are `cancelled` by it; those not open are left alone. */
  readonly cancelled: readonly string[];
}

/** What is written together, or not at all. */
export interface Commit {
  readonly transitions: readonly Transition[];
  /**
   * Events that will never be applied. Each removes the inbox row (actor, eventId), and an open
   * outbox row with the id `eventId` becomes `dead`. One that exists already, or whose event was
   * applied, makes the commit a `duplicate`, unless there are no transitions: then it is skipped.
   */
  readonly deadLetters: readonly DeadLetterRow[];
  readonly records: readonly RecordWrite[];
  /**
   * Who commits, and until when it would hold the leases of the actors that are stepped here. A free
   * or expired lease is taken (epoch + 1 where the owner changes, also from nobody and for a new
   * actor), an own one is prolonged and never shortened, another's is left alone. A lease has expired
   * when `leaseUntil <= now`. The owner is not empty. Outbox rows of an actor leased
   * so are written as `claimed` by its epoch.
   */
  readonly lease: { readonly owner: string; readonly until: number } | null;
  /** The committer's time, in ms since the epoch. */
  readonly now: number;
}

/** What became of a commit. Everything but `committed` left no trace. */
export type CommitResult =
  | {
    readonly outcome: "committed";
    /** The stepped actors as they stand now, in the order of the transitions. */
    readonly actors: readonly ActorRow[];
  }
  | {
    /** The event id is known for this actor. */
    readonly outcome: "duplicate";
    readonly actor: string;
    readonly eventId: string;
    /** The revision that applied it, or the reason it is a dead letter. */
    readonly earlier:
      | { readonly kind: "applied"; readonly revision: number }
      | { readonly kind: "dead-letter"; readonly reason: string };
  }
  | {
    /** The actor moved on: read it again and step again. `null` where there is no such actor. */
    readonly outcome: "conflict";
    readonly actor: string;
    readonly current: ActorRow | null;
  }
  | {
    /** The epoch moved on: another owner, or a restart. */
    readonly outcome: "fenced";
    readonly actor: string;
    readonly epoch: number;
  }
  | {
    readonly outcome: "record-conflict";
    readonly collection: string;
    readonly key: string;
    /** The version that stands there; 0 for none. */
    readonly version: number;
  };

/** What {@link Store.claim} is asked. */
export interface ClaimRequest {
  readonly owner: string;
  /** Only actors of these definitions are claimed: what the process can run. */
  readonly hashes: readonly string[];
  readonly now: number;
  /** When a lease taken now ends. */
  readonly until: number;
  /** How many actors at most. */
  readonly limit: number;
  /**
   * The actors with effects that `owner` runs. Of any other, a lease of `owner` that has expired
   * counts as a dead owner's: the answer that handed its effects over did not arrive.
   * @default every actor that `owner` holds
   */
  readonly running?: readonly string[];
}

/** Due work of one actor, handed to the holder of its lease. */
export interface ClaimedWork {
  readonly actor: ActorRow;
  /** Open rows that are due and were not handed out in this epoch, in order; now `claimed` by it. */
  readonly outbox: readonly OutboxRow[];
  /** All rows, in order. */
  readonly inbox: readonly InboxRow[];
  /** Those that are due, earliest first. */
  readonly timers: readonly TimerRow[];
}

/** What became of an effect, as {@link Store.settle} writes it. */
export interface Settlement {
  readonly actor: string;
  /** The outbox id. */
  readonly id: string;
  /** The epoch it ran under. Where the actor's epoch moved on, nothing is written. */
  readonly epoch: number;
  readonly outcome:
    | { readonly kind: "done" }
    /** Try again: attempts + 1, not before `due`, free to be claimed again. */
    | { readonly kind: "retry"; readonly due: number }
    /** Give up, with this dead letter. */
    | { readonly kind: "dead"; readonly letter: DeadLetterRow };
}

/** What {@link Store.prune} removed, in rows. */
export interface PruneResult {
  readonly journal: number;
  readonly outbox: number;
  readonly deadLetters: number;
  readonly actors: number;
}

/** A place that keeps actors. Every method rejects with a `store-…` error, and never blocks the event loop on a lock. */
export interface Store {
  /** For messages: `memory`, `sqlite:/path`. */
  readonly name: string;

  /**
   * Writes a commit, whole or not at all. Checked in this order: event ids (`duplicate`), revisions
   * (`conflict`), fences (`fenced`), records (`record-conflict`). An inbox row (actor, eventId) of
   * each transition's journal row is removed with it.
   *
   * @throws {TypeError} where the commit contradicts itself: revisions that do not follow, rows of
   * another actor, one event or record twice, an id with U+0000
   */
  commit(commit: Commit): Promise<CommitResult>;

  /**
   * Takes the leases of up to `limit` actors that have due work and whose lease is free, expired or
   * already `owner`'s, and hands the work over. Due work is: an open outbox row with `due <= now`
   * that was not claimed in the actor's present epoch, an inbox row, a timer with `due <= now`. An
   * actor whose other owner's lease expired while it had open claimed outbox rows has due work too:
   * taking its lease raises the epoch, so those rows are handed out again. Fair: earliest due first,
   * where an inbox row is due since its arrival, and such an adoption since the lease expired. The
   * status of the actor does not matter.
   *
   * To `owner` itself nothing is handed out twice in one epoch. An owner that lost sight of an effect
   * (the answer of a claim or a commit did not arrive, or the effect was dropped) is handed it again
   * after a `release` of the actor, or once the lease has expired without the actor in
   * {@link ClaimRequest.running}.
   */
  claim(request: ClaimRequest): Promise<readonly ClaimedWork[]>;

  /** Prolongs the leases that `owner` still holds, even expired ones; never shortens. Answers the ids it does not hold any more. */
  renew(owner: string, actors: readonly string[], until: number): Promise<readonly string[]>;

  /**
   * Gives leases back; ones held by others are left alone. Effects that were handed out are free to
   * be claimed, by the next holder in the next epoch; what the last one settles meanwhile counts.
   */
  release(owner: string, actors: readonly string[]): Promise<void>;

  /** Writes what became of effects, together. Answers the ids that were refused, because fenced or not open. */
  settle(settlements: readonly Settlement[], now: number): Promise<readonly string[]>;

  /**
   * The earliest time at which {@link Store.claim} could hand something out that it would not now, or
   * something it would now; never before `now`, `undefined` where nothing waits. For actors of these
   * definitions. Expired leases of `owner` itself are not looked for: who polls finds them.
   */
  nextDue(owner: string, hashes: readonly string[], now: number): Promise<number | undefined>;

  /** Calls `listener` when another holder of this store may have made work due. Answers how to stop. Best effort: pollers still poll. */
  watch(listener: () => void): () => void;

  read(actor: string): Promise<ActorRow | undefined>;
  /** Actors ordered by id. */
  actors(query: {
    readonly machine?: string;
    readonly status?: ActorStatus;
    /** Only ids that begin so. */
    readonly prefix?: string;
    /** Only ids after this one. */
    readonly after?: string;
    readonly limit: number;
  }): Promise<readonly ActorRow[]>;
  /** Journal rows of one actor from a revision (inclusive), in order. */
  journal(actor: string, from: number, limit: number): Promise<readonly JournalRow[]>;
  /** Journal rows of the whole store after a `seq`, in order. */
  feed(afterSeq: number, limit: number): Promise<readonly JournalRow[]>;
  /** Outbox rows of one actor in order of (revision, index), or with `null` all open ones, by due. */
  outbox(actor: string | null, limit: number): Promise<readonly OutboxRow[]>;
  /** Timers of one actor, or with `null` all, earliest first. */
  timers(actor: string | null, limit: number): Promise<readonly TimerRow[]>;
  /** Inbox rows of one actor in order. */
  inbox(actor: string, limit: number): Promise<readonly InboxRow[]>;
  /** Dead letters of one actor, or with `null` all, in the order of writing. */
  deadLetters(actor: string | null, limit: number): Promise<readonly DeadLetterRow[]>;

  /** Keeps a machine's definition; one with the same hash is left as it is. */
  putMachine(machine: MachineRow): Promise<void>;
  machine(hash: string): Promise<MachineRow | undefined>;

  record(collection: string, key: string): Promise<RecordRow | undefined>;
  /** Records of a collection ordered by key. */
  records(
    collection: string,
    query: { readonly prefix?: string; readonly after?: string; readonly limit: number },
  ): Promise<readonly RecordRow[]>;

  /**
   * Forgets what is older than `before` (ms since the epoch): journal rows (never an actor's latest;
   * `base` moves up, rows stay contiguous), outbox rows that are not open with the journal row of their
   * revision, dead letters, and whole actors that ended (`done`, `error`, `stopped`) before it and
   * have no open outbox row, inbox row or timer. A `seq` never comes back. Event ids that go
   * are no longer recognised as duplicates.
   */
  prune(before: number): Promise<PruneResult>;

  /** Waits for what was accepted, then lets go of the file or connection. Later calls reject with `store-closed`. */
  close(): Promise<void>;
}
