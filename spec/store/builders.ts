import type {
  ActorRow,
  Commit,
  DeadLetterRow,
  InboxRow,
  OutboxRow,
  Store,
  TimerRow,
  Transition,
} from "../../runtime/store/store.ts";
import type { CommitResult } from "../../runtime/store/store.ts";

export const HASHES = ["h1"];

/** A transition of `id` to `revision`, with what differs from the plainest one. */
export function transition(
  id: string,
  revision: number,
  more: Partial<Omit<Transition, "actor" | "journal" | "outbox">> & {
    readonly actor?: Partial<Transition["actor"]>;
    readonly journal?: Partial<Transition["journal"]>;
    readonly outbox?: readonly Partial<OutboxRow>[];
  } = {},
): Transition {
  const { actor, journal, outbox, ...rest } = more;
  return {
    actor: {
      id,
      machine: "m",
      hash: "h1",
      revision,
      epoch: 1,
      status: "active",
      state: `{"revision":${revision}}`,
      supervisor: null,
      updatedAt: revision,
      ...actor,
    },
    expected: revision - 1,
    journal: {
      actor: id,
      revision,
      eventId: `e${revision}`,
      event: `{"type":"E${revision}"}`,
      cause: null,
      at: revision,
      edges: "[]",
      change: "{}",
      ...journal,
    },
    outbox: (outbox ?? []).map((row, index) => effect(id, revision, index, row)),
    tells: [],
    timersSet: [],
    timersCleared: [],
    settled: [],
    cancelled: [],
    ...rest,
  };
}

export function effect(
  actor: string,
  revision: number,
  index: number,
  more: Partial<OutboxRow> = {},
): Omit<OutboxRow, "claimed"> {
  return {
    id: `${actor}:${revision}:${index}`,
    actor,
    revision,
    index,
    kind: "invoke",
    payload: "{}",
    state: "open",
    due: 0,
    attempts: 0,
    ...more,
  };
}

export function commitOf(
  transitions: readonly Transition[],
  more: Partial<Omit<Commit, "transitions">> = {},
): Commit {
  return { transitions, deadLetters: [], records: [], lease: null, now: 10, ...more };
}

export function tell(
  actor: string,
  eventId: string,
  cause: string | null = null,
): Omit<InboxRow, "seq"> {
  return { actor, eventId, event: `{"type":"${eventId}"}`, cause };
}

export function timer(actor: string, id: string, due: number): TimerRow {
  return { actor, id, revision: 1, due, event: `{"type":"${id}"}` };
}

export function letter(
  actor: string,
  eventId: string,
  more: Partial<DeadLetterRow> = {},
): DeadLetterRow {
  return { actor, eventId, event: "{}", reason: "unwanted", error: null, at: 10, ...more };
}

/** Commits what must be `committed`, and answers the stepped actors. */
export async function committed(store: Store, commit: Commit): Promise<readonly ActorRow[]> {
  const result: CommitResult = await store.commit(commit);
  if (result.outcome !== "committed") throw new Error(`not committed: ${JSON.stringify(result)}`);
  return result.actors;
}

/** Everything that a store holds of these actors, for "left no trace". */
export async function dump(store: Store, actors: readonly string[]): Promise<unknown> {
  const of = async (id: string) => ({
    row: await store.read(id),
    journal: await store.journal(id, 0, 1000),
    outbox: await store.outbox(id, 1000),
    inbox: await store.inbox(id, 1000),
    timers: await store.timers(id, 1000),
    letters: await store.deadLetters(id, 1000),
  });
  return {
    actors: await Promise.all(actors.map(of)),
    all: await store.actors({ limit: 1000 }),
    feed: await store.feed(0, 1000),
    open: await store.outbox(null, 1000),
    timers: await store.timers(null, 1000),
    letters: await store.deadLetters(null, 1000),
    records: await store.records("c", { limit: 1000 }),
  };
}
