import type { Driver } from "./driver.ts";
import type {
  ActorRow,
  Commit,
  CommitResult,
  DeadLetterRow,
  MachineRow,
  Transition,
} from "../store.ts";
import { prepareCommitStatements } from "./commit-statements.ts";
import { actorRow } from "./rows.ts";

/** What a transition is checked against, in one row. */
interface Probe {
  readonly revision: number | null;
  readonly base: number;
  readonly epoch: number | null;
  readonly owner: string;
  readonly leaseUntil: number;
  readonly running: number;
  readonly applied: number | null;
  readonly reason: string | null;
}

/** The changing columns of an actor while a commit is written; its state comes last. */
interface Head {
  exists: boolean;
  base: number;
  epoch: number;
  owner: string;
  leaseUntil: number;
  running: number;
  actor: Transition["actor"];
}

/** Writes commits and dead letters inside the transaction that the caller holds. */
export interface CommitWriter {
  /** Checks a commit and writes it, or says why not. Nothing is written before all checks passed. */
  commit(commit: Commit): CommitResult;
  /** Keeps a dead letter, unless the event has one or was applied. */
  deadLetter(letter: DeadLetterRow): void;
  /** Ends an open outbox row. Answers whether it had been handed out, or `undefined` if not open. */
  close(actor: string, id: string, state: "done" | "cancelled" | "dead"): boolean | undefined;
  /** Keeps a machine's definition, unless there is one with its hash. */
  machine(machine: MachineRow): void;
}

/** Prepares the statements of {@link CommitWriter}. */
export function prepareCommit(driver: Driver): CommitWriter {
  const {
    probe,
    readActor,
    insertActor,
    updateActor,
    insertJournal,
    deleteInbox,
    insertInbox,
    insertOutbox,
    unclaim,
    closeClaimed,
    closeWaiting,
    setTimer,
    clearTimer,
    insertLetter,
    ranOne,
    readVersion,
    writeRecord,
    putMachine,
    deleteRecord,
  } = prepareCommitStatements(driver);

  function commit(commit: Commit): CommitResult {
    const probes = commit.transitions.map(({ journal }) =>
      probe.get(journal.actor, journal.eventId) as Probe
    );
    const refused = duplicate(commit, probes) ?? conflict(commit, probes) ??
      fenced(commit, probes) ?? recordConflict(commit);
    if (refused !== undefined) return refused;
    const heads = new Map<string, Head>();
    for (const [at, transition] of commit.transitions.entries()) {
      const id = transition.actor.id;
      const head = heads.get(id) ?? headOf(probes[at]!, transition);
      heads.set(id, head);
      advance(head, transition, commit);
      write(head, transition, commit);
    }
    for (const head of heads.values()) writeHead(head);
    for (const letter of commit.deadLetters) deadLetter(letter);
    for (const { collection, key, value } of commit.records) {
      if (value === null) deleteRecord.run(collection, key);
      else writeRecord.run(collection, key, value);
    }
    return {
      outcome: "committed",
      actors: commit.transitions.map(({ actor }) => rowOf(heads.get(actor.id)!)),
    };
  }

  function duplicate(commit: Commit, probes: readonly Probe[]): CommitResult | undefined {
    // Dead letters alone are an acknowledgement: writing them again is no news.
    if (commit.transitions.length === 0) return undefined;
    for (const [at, { journal }] of commit.transitions.entries()) {
      const earlier = earlierOf(probes[at]!);
      if (earlier !== undefined) {
        return { outcome: "duplicate", actor: journal.actor, eventId: journal.eventId, earlier };
      }
    }
    for (const { actor, eventId } of commit.deadLetters) {
      const earlier = earlierOf(probe.get(actor, eventId) as Probe);
      if (earlier !== undefined) return { outcome: "duplicate", actor, eventId, earlier };
    }
    return undefined;
  }

  function conflict(commit: Commit, probes: readonly Probe[]): CommitResult | undefined {
    const revisions = new Map<string, number>();
    for (const [at, { actor, expected }] of commit.transitions.entries()) {
      const revision = revisions.get(actor.id) ?? probes[at]!.revision ?? 0;
      if (revision !== expected) {
        const current = readActor.get(actor.id);
        return {
          outcome: "conflict",
          actor: actor.id,
          current: current === undefined ? null : actorRow(current),
        };
      }
      revisions.set(actor.id, actor.revision);
    }
    return undefined;
  }

  function recordConflict(commit: Commit): CommitResult | undefined {
    for (const { collection, key, expected } of commit.records) {
      if (expected === undefined) continue;
      const row = readVersion.get(collection, key) as { readonly version: number } | undefined;
      const version = row?.version ?? 0;
      if (version !== expected) return { outcome: "record-conflict", collection, key, version };
    }
    return undefined;
  }

  /** Takes or prolongs the lease, and ends the epoch of what was handed out before. */
  function advance(head: Head, { actor }: Transition, { lease, now }: Commit): void {
    const before = head.epoch;
    head.actor = actor;
    head.epoch = Math.max(head.epoch, actor.epoch);
    if (lease !== null) {
      if (head.owner === lease.owner) head.leaseUntil = Math.max(head.leaseUntil, lease.until);
      else if (head.owner === "" || head.leaseUntil <= now) {
        head.owner = lease.owner;
        head.leaseUntil = lease.until;
        head.epoch++;
      }
    }
    if (head.epoch !== before && head.running > 0) {
      unclaim.run(actor.id);
      head.running = 0;
    }
  }

  function write(head: Head, transition: Transition, commit: Commit): void {
    const { actor: { id }, journal } = transition;
    insertJournal.run(
      journal.actor,
      journal.revision,
      journal.eventId,
      journal.event,
      journal.cause,
      journal.at,
      journal.edges,
      journal.change,
    );
    deleteInbox.run(id, journal.eventId);
    const claimed = commit.lease !== null && head.owner === commit.lease.owner ? head.epoch : null;
    for (const row of transition.outbox) {
      insertOutbox.run(
        row.id,
        row.actor,
        row.revision,
        row.index,
        row.kind,
        row.payload,
        row.state,
        row.due,
        row.attempts,
        claimed,
      );
      if (row.state === "open" && claimed !== null) head.running++;
    }
    for (const each of transition.settled) if (close(id, each, "done")) head.running--;
    for (const each of transition.cancelled) if (close(id, each, "cancelled")) head.running--;
    for (const timer of transition.timersCleared) clearTimer.run(id, timer);
    for (const { actor, id, revision, due, event } of transition.timersSet) {
      setTimer.run(actor, id, revision, due, event);
    }
    for (const { actor, eventId, event, cause } of transition.tells) {
      insertInbox.run(actor, eventId, event, cause, commit.now);
    }
  }

  function writeHead(head: Head): void {
    const { actor } = head;
    const statement = head.exists ? updateActor : insertActor;
    statement.run(
      actor.machine,
      actor.hash,
      actor.revision,
      head.base,
      head.epoch,
      actor.status,
      actor.supervisor,
      head.owner,
      head.leaseUntil,
      actor.updatedAt,
      head.running,
      actor.state,
      actor.id,
    );
  }

  function close(
    actor: string,
    id: string,
    state: "done" | "cancelled" | "dead",
  ): boolean | undefined {
    if (closeClaimed.run(state, id, actor).changes > 0) return true;
    return closeWaiting.run(state, id, actor).changes > 0 ? false : undefined;
  }

  function deadLetter(letter: DeadLetterRow): void {
    const { actor, eventId, event, reason, error, at } = letter;
    if (earlierOf(probe.get(actor, eventId) as Probe) !== undefined) return;
    insertLetter.run(actor, eventId, event, reason, error, at);
    deleteInbox.run(actor, eventId);
    if (close(actor, eventId, "dead")) ranOne.run(actor);
  }

  function machine({ hash, name, definition, at }: MachineRow): void {
    putMachine.run(hash, name, definition, at);
  }

  return { commit, deadLetter, close, machine };
}

function earlierOf(
  probe: Probe,
): Extract<CommitResult, { outcome: "duplicate" }>["earlier"] | undefined {
  if (probe.applied !== null) return { kind: "applied", revision: probe.applied };
  if (probe.reason !== null) return { kind: "dead-letter", reason: probe.reason };
  return undefined;
}

function fenced(commit: Commit, probes: readonly Probe[]): CommitResult | undefined {
  for (const [at, { actor, fence }] of commit.transitions.entries()) {
    const epoch = probes[at]!.epoch ?? 0;
    if (fence !== undefined && fence !== epoch) {
      return { outcome: "fenced", actor: actor.id, epoch };
    }
  }
  return undefined;
}

function headOf(probe: Probe, { actor }: Transition): Head {
  if (probe.revision === null) {
    const base = actor.revision;
    return { exists: false, base, epoch: 0, owner: "", leaseUntil: 0, running: 0, actor };
  }
  const { base, epoch, owner, leaseUntil, running } = probe;
  return { exists: true, base, epoch: epoch ?? 0, owner, leaseUntil, running, actor };
}

function rowOf({ actor, base, epoch, owner, leaseUntil }: Head): ActorRow {
  const { id, machine, hash, revision, status, state, supervisor, updatedAt } = actor;
  return {
    id,
    machine,
    hash,
    revision,
    base,
    epoch,
    status,
    state,
    supervisor,
    owner: owner === "" ? null : owner,
    leaseUntil,
    updatedAt,
  };
}
