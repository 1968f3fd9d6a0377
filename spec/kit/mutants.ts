import type { AnyStateMachine } from "xstate";
import { isTooMany, type SupervisorContext } from "../../machines/supervisor/decide.ts";
import { supervisorMachine } from "../../machines/supervisor/machine.ts";
import type {
  ActorRow,
  ClaimedWork,
  ClaimRequest,
  Commit,
  CommitResult,
  OutboxRow,
  Settlement,
  Store,
  Transition,
} from "../../runtime/store/store.ts";
import { StoreDecorator } from "./sim-store-decorator.ts";

/** One rule of the protocol, broken on purpose. */
export interface Mutant {
  readonly name: string;
  /** The rule that it breaks first of all. */
  readonly breaks: string;
  /** The store as a process uses it: before its network. */
  readonly inProcess?: (store: Store) => Store;
  /** The store itself: behind the network. */
  readonly inStore?: (store: Store) => Store;
  /** The id under which a client delivers an event. */
  readonly mint?: (eventId: string, attempt: number) => string;
  /** Registered in place of the real one. */
  readonly supervisor?: AnyStateMachine;
}

/** Every rule that some property must miss. */
export const mutants: readonly Mutant[] = [
  { name: "no compare-and-set", breaks: "P1", inStore: (store) => new NoCompareAndSet(store) },
  {
    name: "a conflict is answered as applied",
    breaks: "P1",
    inProcess: (store) => new BlindToConflict(store),
  },
  {
    name: "dedupe check outside the transaction",
    breaks: "P1",
    inProcess: (store) => new DedupeOutside(store),
  },
  {
    name: "outbox written after the commit",
    breaks: "effects",
    inProcess: (store) => new OutboxAfterCommit(store),
  },
  {
    name: "tells not in the same commit",
    breaks: "P1",
    inProcess: (store) => new TellsAfterCommit(store),
  },
  { name: "new event id on every retry", breaks: "P1", mint: (id, attempt) => `${id}#${attempt}` },
  { name: "ack before the commit", breaks: "P1", inProcess: (store) => new AckBeforeCommit(store) },
  {
    name: "random outbox ids",
    breaks: "P1",
    inStore: (store) => new RandomOutboxIds(store),
  },
  {
    name: "a new key for every try of an effect",
    breaks: "effects",
    inProcess: (store) => new KeyPerTry(store),
  },
  {
    name: "effects settled before they run",
    breaks: "effects",
    inProcess: (store) => new SettledFirst(store),
  },
  {
    name: "a failed effect is settled as done",
    breaks: "effects",
    inStore: (store) => new RetryIsDone(store),
  },
  {
    name: "a takeover forgets open effects",
    breaks: "effects",
    inStore: (store) => new ForgetfulTakeover(store),
  },
  {
    name: "no fence on results",
    breaks: "P-lease",
    inStore: mapTransitions(({ fence: _fence, ...rest }) => rest),
  },
  {
    name: "settle without a check of the epoch",
    breaks: "P-lease",
    inStore: (store) => new UnfencedSettle(store),
  },
  {
    name: "lease taken without a check of its end",
    breaks: "P-lease",
    inStore: (store) => new ImpatientLease(store),
  },
  {
    name: "timer row not cleared with its transition",
    breaks: "timers",
    inStore: mapTransitions((each) => ({ ...each, timersCleared: [] })),
  },
  {
    name: "timer row not set with its transition",
    breaks: "timers",
    inStore: mapTransitions((each) => ({ ...each, timersSet: [] })),
  },
  {
    name: "dead letters are not kept",
    breaks: "P1",
    inStore: mapCommit((commit) => ({ ...commit, deadLetters: [] })),
  },
  {
    name: "duplicate answers forget dead letters",
    breaks: "P1",
    inStore: (store) => new LettersForgotten(store),
  },
  {
    name: "a transaction is several commits",
    breaks: "P2",
    inProcess: (store) => new SplitTransaction(store),
  },
  {
    name: "records written without a check of their version",
    breaks: "P2",
    inStore: mapCommit((commit) => ({
      ...commit,
      records: commit.records.map(({ expected: _expected, ...rest }) => rest),
    })),
  },
  {
    name: "supervisor's window off by one",
    breaks: "P6",
    supervisor: supervisorMachine.provide({
      guards: {
        isTooMany: ({ context, event }) => {
          const { at } = event as unknown as { readonly at: number };
          const lax: SupervisorContext = { ...context, intensity: context.intensity + 1 };
          return isTooMany(lax, { child: "", at, error: null, isOver: false, isHalted: false });
        },
      },
    }),
  },
];

function mapCommit(map: (commit: Commit) => Commit): (store: Store) => Store {
  return (store) => new MappedCommit(store, map);
}

function mapTransitions(map: (transition: Transition) => Transition): (store: Store) => Store {
  return mapCommit((commit) => ({ ...commit, transitions: commit.transitions.map(map) }));
}

class MappedCommit extends StoreDecorator {
  readonly #map: (commit: Commit) => Commit;

  constructor(inner: Store, map: (commit: Commit) => Commit) {
    super(inner);
    this.#map = map;
  }

  override commit(commit: Commit): Promise<CommitResult> {
    return super.commit(this.#map(commit));
  }
}

class NoCompareAndSet extends StoreDecorator {
  override async commit(commit: Commit): Promise<CommitResult> {
    const result = await super.commit(commit);
    if (result.outcome !== "conflict" || result.current === null) return result;
    const { actor, current: { revision } } = result;
    const transitions = commit.transitions.map((each) =>
      each.actor.id === actor ? moved(each, revision + 1) : each
    );
    return await this.commit({ ...commit, transitions });
  }
}

/** The same transition, written as another revision. */
function moved(each: Transition, revision: number): Transition {
  return {
    ...each,
    actor: { ...each.actor, revision },
    expected: revision - 1,
    journal: { ...each.journal, revision },
    outbox: each.outbox.map((row) => ({
      ...row,
      revision,
      id: `${row.actor}:${revision}:${row.index}`,
    })),
  };
}

class BlindToConflict extends StoreDecorator {
  override async commit(commit: Commit): Promise<CommitResult> {
    const result = await super.commit(commit);
    return result.outcome === "conflict" ? assumed(commit) : result;
  }
}

class AckBeforeCommit extends StoreDecorator {
  override commit(commit: Commit): Promise<CommitResult> {
    super.commit(commit).catch(() => {});
    return Promise.resolve(assumed(commit));
  }
}

/** What the answer would be if everything went well. */
function assumed({ transitions, lease }: Commit): CommitResult {
  return {
    outcome: "committed",
    actors: transitions.map(({ actor }): ActorRow => ({
      ...actor,
      base: 1,
      epoch: Math.max(1, actor.epoch),
      owner: lease?.owner ?? null,
      leaseUntil: lease?.until ?? 0,
    })),
  };
}

/** Looks once for each event and believes what it saw, through any number of conflicts. */
class DedupeOutside extends StoreDecorator {
  readonly #looked = new Set<string>();

  override async commit(commit: Commit): Promise<CommitResult> {
    const [first] = commit.transitions;
    if (first === undefined || commit.transitions.length > 1) return await super.commit(commit);
    const { actor, eventId } = first.journal;
    if (!this.#looked.has(eventId)) {
      const rows = await this.journal(actor, 0, Number.MAX_SAFE_INTEGER);
      const known = rows.find((row) => row.eventId === eventId);
      if (known !== undefined) {
        const earlier = { kind: "applied" as const, revision: known.revision };
        return { outcome: "duplicate", actor, eventId, earlier };
      }
      this.#looked.add(eventId);
    }
    const result = await super.commit(commit);
    return result.outcome === "duplicate" ? await super.commit(renamed(commit)) : result;
  }
}

/** As {@link DedupeOutside}, for an event that is a dead letter. */
class LettersForgotten extends StoreDecorator {
  override async commit(commit: Commit): Promise<CommitResult> {
    const result = await super.commit(commit);
    const isForgotten = result.outcome === "duplicate" && result.earlier.kind === "dead-letter" &&
      commit.transitions.length === 1;
    return isForgotten ? await super.commit(renamed(commit)) : result;
  }
}

/** A second row for an event has to bear another id: the store underneath is sound. */
function renamed(commit: Commit): Commit {
  return {
    ...commit,
    transitions: commit.transitions.map((each) => ({
      ...each,
      journal: { ...each.journal, eventId: `${each.journal.eventId}'` },
    })),
  };
}

/** The rows that a second write makes due: until then nobody is handed them. */
class OutboxAfterCommit extends StoreDecorator {
  override async commit(commit: Commit): Promise<CommitResult> {
    const never = Number.MAX_SAFE_INTEGER;
    const result = await super.commit({
      ...commit,
      transitions: commit.transitions.map((each) => ({
        ...each,
        outbox: each.outbox.map((row) => ({ ...row, due: never })),
      })),
    });
    if (result.outcome !== "committed") return result;
    const settlements = commit.transitions.flatMap(({ outbox }, index) =>
      outbox.filter((row) => row.state === "open").map((row): Settlement => ({
        actor: row.actor,
        id: row.id,
        epoch: result.actors[index]?.epoch ?? 0,
        outcome: { kind: "retry", due: row.due },
      }))
    );
    if (settlements.length > 0) await this.settle(settlements, commit.now);
    return result;
  }
}

class TellsAfterCommit extends StoreDecorator {
  override async commit(commit: Commit): Promise<CommitResult> {
    const tells = commit.transitions.flatMap((each) => each.tells);
    const result = await super.commit({
      ...commit,
      transitions: commit.transitions.map((each) => ({ ...each, tells: [] })),
    });
    if (tells.length > 0 && result.outcome === "committed") await this.#post(tells, commit.now);
    return result;
  }

  /** Events come into an inbox only with a transition: a postman's. */
  async #post(tells: Transition["tells"], now: number): Promise<void> {
    const revision = ((await this.read("postman"))?.revision ?? 0) + 1;
    const state = JSON.stringify({ snapshot: { status: "stopped" }, invokes: {}, timers: {} });
    const result = await super.commit({
      transitions: [{
        actor: {
          id: "postman",
          machine: "postman",
          hash: "postman",
          revision,
          epoch: 1,
          status: "stopped",
          state,
          supervisor: null,
          updatedAt: now,
        },
        expected: revision - 1,
        journal: {
          actor: "postman",
          revision,
          eventId: `${revision}`,
          event: '{"type":"POST"}',
          cause: null,
          at: now,
          edges: "[]",
          change: "[]",
        },
        outbox: [],
        tells,
        timersSet: [],
        timersCleared: [],
        settled: [],
        cancelled: [],
      }],
      deadLetters: [],
      records: [],
      lease: null,
      now,
    });
    if (result.outcome !== "committed") await this.#post(tells, now);
  }
}

class RandomOutboxIds extends StoreDecorator {
  #drawn = 0;

  override commit(commit: Commit): Promise<CommitResult> {
    const rename = (row: Transition["outbox"][number]) =>
      row.kind === "invoke" ? row : { ...row, id: `${row.actor}:${++this.#drawn}` };
    return super.commit({
      ...commit,
      transitions: commit.transitions.map((each) => ({
        ...each,
        outbox: each.outbox.map(rename),
      })),
    });
  }
}

class KeyPerTry extends StoreDecorator {
  #tries = 0;

  override async claim(request: ClaimRequest): Promise<readonly ClaimedWork[]> {
    const claimed = await super.claim(request);
    const rename = (row: OutboxRow) =>
      row.kind === "invoke" ? row : { ...row, id: `${row.id}~${++this.#tries}` };
    return claimed.map((work) => ({ ...work, outbox: work.outbox.map(rename) }));
  }

  override settle(settlements: readonly Settlement[], now: number): Promise<readonly string[]> {
    const named = settlements.map((each) => ({ ...each, id: each.id.replace(/~.*/, "") }));
    return super.settle(named, now);
  }
}

/** At most once instead of at least once. */
class SettledFirst extends StoreDecorator {
  override async commit(commit: Commit): Promise<CommitResult> {
    const result = await super.commit(commit);
    if (result.outcome !== "committed") return result;
    for (const [index, { outbox }] of commit.transitions.entries()) {
      await this.#settle(outbox, result.actors[index]?.epoch ?? 0, commit.now);
    }
    return result;
  }

  override async claim(request: ClaimRequest): Promise<readonly ClaimedWork[]> {
    const claimed = await super.claim(request);
    for (const { actor, outbox } of claimed) await this.#settle(outbox, actor.epoch, request.now);
    return claimed;
  }

  async #settle(rows: Transition["outbox"], epoch: number, now: number): Promise<void> {
    const settlements = rows.filter((row) => row.kind !== "invoke").map(({ actor, id }) => ({
      actor,
      id,
      epoch,
      outcome: { kind: "done" as const },
    }));
    if (settlements.length > 0) await this.settle(settlements, now);
  }
}

class RetryIsDone extends StoreDecorator {
  override settle(settlements: readonly Settlement[], now: number): Promise<readonly string[]> {
    const done = settlements.map((each) => ({ ...each, outcome: { kind: "done" as const } }));
    return super.settle(done, now);
  }
}

class ForgetfulTakeover extends StoreDecorator {
  readonly #owners = new Map<string, string | null>();

  override async commit(commit: Commit): Promise<CommitResult> {
    const result = await super.commit(commit);
    if (result.outcome === "committed") {
      for (const row of result.actors) this.#owners.set(row.id, row.owner);
    }
    return result;
  }

  override async claim(request: ClaimRequest): Promise<readonly ClaimedWork[]> {
    // Nor does it see afterwards that its own lease ran out with the effects still open.
    const { running: _running, ...blind } = request;
    const claimed = await super.claim(blind);
    return claimed.map((work) => {
      const before = this.#owners.get(work.actor.id) ?? null;
      this.#owners.set(work.actor.id, work.actor.owner);
      return before === null || before === request.owner ? work : { ...work, outbox: [] };
    });
  }
}

class UnfencedSettle extends StoreDecorator {
  override async settle(
    settlements: readonly Settlement[],
    now: number,
  ): Promise<readonly string[]> {
    const present = await Promise.all(settlements.map(async (each) => ({
      ...each,
      epoch: (await this.read(each.actor))?.epoch ?? each.epoch,
    })));
    return await super.settle(present, now);
  }
}

class ImpatientLease extends StoreDecorator {
  override async claim(request: ClaimRequest): Promise<readonly ClaimedWork[]> {
    const claimed = await super.claim({ ...request, now: request.now + 3_600_000 });
    const isDue = (row: { readonly due: number }) => row.due <= request.now;
    return claimed.map((work) => ({ ...work, timers: work.timers.filter(isDue) }));
  }
}

class SplitTransaction extends StoreDecorator {
  override async commit(commit: Commit): Promise<CommitResult> {
    const { transitions } = commit;
    if (transitions.length < 2) return await super.commit(commit);
    const actors: ActorRow[] = [];
    for (const [index, each] of transitions.entries()) {
      const isLast = index === transitions.length - 1;
      const rest = isLast ? commit : { ...commit, records: [], deadLetters: [] };
      const result = await super.commit({ ...rest, transitions: [each] });
      if (result.outcome !== "committed") return result;
      actors.push(...result.actors);
    }
    return { outcome: "committed", actors };
  }
}
