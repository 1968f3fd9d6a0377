import type {
  ActorRow,
  ClaimedWork,
  ClaimRequest,
  Commit,
  CommitResult,
  DeadLetterRow,
  InboxRow,
  JournalRow,
  MachineRow,
  OutboxRow,
  PruneResult,
  RecordRow,
  Settlement,
  Store,
  TimerRow,
} from "../../runtime/store/store.ts";

/** What stands around every call of a store. */
export type Around = <Result>(call: string, run: () => Promise<Result>) => Promise<Result>;

/** A store that passes every call on, with something around it; `close` stays here. */
export class StoreDecorator implements Store {
  readonly name: string;
  readonly #inner: Store;
  readonly #around: Around;

  /** @param around default: nothing */
  constructor(inner: Store, around: Around = (_call, run) => run()) {
    this.name = inner.name;
    this.#inner = inner;
    this.#around = around;
  }

  commit(commit: Commit): Promise<CommitResult> {
    return this.#around("commit", () => this.#inner.commit(commit));
  }

  claim(request: ClaimRequest): Promise<readonly ClaimedWork[]> {
    return this.#around("claim", () => this.#inner.claim(request));
  }

  renew(owner: string, actors: readonly string[], until: number): Promise<readonly string[]> {
    return this.#around("renew", () => this.#inner.renew(owner, actors, until));
  }

  release(owner: string, actors: readonly string[]): Promise<void> {
    return this.#around("release", () => this.#inner.release(owner, actors));
  }

  settle(settlements: readonly Settlement[], now: number): Promise<readonly string[]> {
    return this.#around("settle", () => this.#inner.settle(settlements, now));
  }

  nextDue(owner: string, hashes: readonly string[], now: number): Promise<number | undefined> {
    return this.#around("nextDue", () => this.#inner.nextDue(owner, hashes, now));
  }

  watch(listener: () => void): () => void {
    return this.#inner.watch(listener);
  }

  read(actor: string): Promise<ActorRow | undefined> {
    return this.#around("read", () => this.#inner.read(actor));
  }

  actors(query: Parameters<Store["actors"]>[0]): Promise<readonly ActorRow[]> {
    return this.#around("actors", () => this.#inner.actors(query));
  }

  journal(actor: string, from: number, limit: number): Promise<readonly JournalRow[]> {
    return this.#around("journal", () => this.#inner.journal(actor, from, limit));
  }

  feed(afterSeq: number, limit: number): Promise<readonly JournalRow[]> {
    return this.#around("feed", () => this.#inner.feed(afterSeq, limit));
  }

  outbox(actor: string | null, limit: number): Promise<readonly OutboxRow[]> {
    return this.#around("outbox", () => this.#inner.outbox(actor, limit));
  }

  timers(actor: string | null, limit: number): Promise<readonly TimerRow[]> {
    return this.#around("timers", () => this.#inner.timers(actor, limit));
  }

  inbox(actor: string, limit: number): Promise<readonly InboxRow[]> {
    return this.#around("inbox", () => this.#inner.inbox(actor, limit));
  }

  deadLetters(actor: string | null, limit: number): Promise<readonly DeadLetterRow[]> {
    return this.#around("deadLetters", () => this.#inner.deadLetters(actor, limit));
  }

  putMachine(machine: MachineRow): Promise<void> {
    return this.#around("putMachine", () => this.#inner.putMachine(machine));
  }

  machine(hash: string): Promise<MachineRow | undefined> {
    return this.#around("machine", () => this.#inner.machine(hash));
  }

  record(collection: string, key: string): Promise<RecordRow | undefined> {
    return this.#around("record", () => this.#inner.record(collection, key));
  }

  records(
    collection: string,
    query: Parameters<Store["records"]>[1],
  ): Promise<readonly RecordRow[]> {
    return this.#around("records", () => this.#inner.records(collection, query));
  }

  prune(before: number): Promise<PruneResult> {
    return this.#around("prune", () => this.#inner.prune(before));
  }

  close(): Promise<void> {
    return Promise.resolve();
  }
}
