import { resolve } from "node:path";
import { type Clock, systemClock } from "../../clock.ts";
import { SidecanaryError } from "../../errors.ts";
import { checkCommit } from "../check-commit.ts";
import { Listeners } from "../listeners.ts";
import { makesWork } from "../makes-work.ts";
import { type CommitWriter, prepareCommit } from "./commit.ts";
import { type Driver, findDriver, type OpenDriver } from "./driver.ts";
import { type Leases, prepareLeases } from "./leases.ts";
import { createFile, prepareDatabase } from "./open-database.ts";
import { Patience } from "./patience.ts";
import { preparePrune, type Pruner } from "./prune.ts";
import { prepareReads, type Reads } from "./reads.ts";
import { prepareSettle, type Settle } from "./settle.ts";
import { WriteQueue } from "./write-queue.ts";
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
} from "../store.ts";

/** What {@link openSqliteStore} takes. */
export interface SqliteStoreOptions {
  /** The file; it and its folder are made where they are missing. `:memory:` is kept nowhere. */
  readonly path: string;
  /**
   * `full` survives the loss of power; with `normal` the last commits may then be lost, though
   * nothing is torn. Both survive the death of the process.
   *
   * @default "full"
   */
  readonly synchronous?: "full" | "normal";
  /**
   * How long SQLite itself may wait for a lock, which holds the event loop; in ms.
   *
   * @default 0
   */
  readonly busyTimeoutMs?: number;
  /**
   * How long a call waits for another process's lock before it rejects with `store-busy`; in ms.
   *
   * @default 30_000
   */
  readonly patienceMs?: number;
  /** @default systemClock */
  readonly clock?: Clock;
  /**
   * Jitter of the waits, in [0, 1).
   *
   * @default Math.random
   */
  readonly random?: () => number;
  /**
   * The SQLite binding.
   *
   * @default findDriver()
   */
  readonly driver?: OpenDriver;
}

/**
 * Opens a store in a SQLite file, which several processes may share. Writes that come in one turn of
 * the event loop are committed together.
 *
 * @throws {SidecanaryError} `store-version` where the file is of a newer version or no store,
 * `store-busy` where it stays locked, `store-failed` where it cannot be opened or there is no SQLite
 */
export async function openSqliteStore(options: SqliteStoreOptions): Promise<Store> {
  const path = options.path === ":memory:" ? options.path : resolve(options.path);
  const name = `sqlite:${path}`;
  const {
    synchronous = "full",
    busyTimeoutMs = 0,
    patienceMs = 30_000,
    clock = systemClock,
    random = Math.random,
  } = options;
  if (!Number.isInteger(busyTimeoutMs) || busyTimeoutMs < 0) {
    throw new RangeError(`Cannot wait busyTimeoutMs: current value is ${busyTimeoutMs}`);
  }
  const openDriver = options.driver ?? await findDriver();
  if (openDriver === undefined) {
    const message = `Cannot open "${path}": this Node has no node:sqlite. ` +
      `Run "npm install libsql@0.5.29", or use Node 22.13 or later`;
    throw new SidecanaryError("store-failed", message, { store: name });
  }
  const driver = await connect(openDriver, path, name);
  try {
    const patience = new Patience(driver, { store: name, path, clock, random, patienceMs });
    await prepareDatabase(driver, patience, { store: name, path, synchronous, busyTimeoutMs });
    return await patience.retry(() => new SqliteStore(name, driver, patience));
  } catch (error) {
    driver.close();
    throw error;
  }
}

async function connect(open: OpenDriver, path: string, store: string): Promise<Driver> {
  try {
    if (path !== ":memory:") await createFile(path);
    return open(path);
  } catch (error) {
    const reason = error instanceof Error ? error.message : String(error);
    const message = `Cannot open the store "${path}": ${reason}`;
    throw new SidecanaryError("store-failed", message, { store }, error);
  }
}

class SqliteStore implements Store {
  readonly name: string;
  readonly #driver: Driver;
  readonly #patience: Patience;
  readonly #queue: WriteQueue;
  readonly #writer: CommitWriter;
  readonly #leases: Leases;
  readonly #settle: Settle;
  readonly #pruner: Pruner;
  readonly #reads: Reads;
  readonly #listeners = new Listeners();
  #closing: Promise<void> | undefined;

  constructor(name: string, driver: Driver, patience: Patience) {
    this.name = name;
    this.#driver = driver;
    this.#patience = patience;
    this.#queue = new WriteQueue(driver, patience);
    this.#writer = prepareCommit(driver);
    this.#leases = prepareLeases(driver);
    this.#settle = prepareSettle(driver, this.#writer);
    this.#pruner = preparePrune(driver);
    this.#reads = prepareReads(driver);
  }

  async commit(commit: Commit): Promise<CommitResult> {
    checkCommit(commit);
    const result = await this.#write(() => this.#writer.commit(commit));
    if (makesWork(commit, result)) this.#listeners.notify();
    return result;
  }

  async claim(request: ClaimRequest): Promise<readonly ClaimedWork[]> {
    if (request.owner === "") throw new TypeError("Cannot lease to the owner ''");
    if (!await this.#read(() => this.#leases.hasWork(request))) return [];
    return await this.#write(() => this.#leases.claim(request));
  }

  async renew(owner: string, actors: readonly string[], until: number): Promise<readonly string[]> {
    return await this.#write(() => this.#leases.renew(owner, actors, until));
  }

  async release(owner: string, actors: readonly string[]): Promise<void> {
    await this.#write(() => this.#leases.release(owner, actors));
    this.#listeners.notify();
  }

  async settle(settlements: readonly Settlement[], _now: number): Promise<readonly string[]> {
    const refused = await this.#write(() => this.#settle(settlements));
    if (settlements.some((each) => each.outcome.kind === "retry")) this.#listeners.notify();
    return refused;
  }

  async nextDue(
    owner: string,
    hashes: readonly string[],
    now: number,
  ): Promise<number | undefined> {
    return await this.#read(() => this.#leases.nextDue(owner, hashes, now));
  }

  watch(listener: () => void): () => void {
    return this.#listeners.add(listener);
  }

  async read(actor: string): Promise<ActorRow | undefined> {
    return await this.#read((reads) => reads.actor(actor));
  }

  async actors(query: Parameters<Store["actors"]>[0]): Promise<readonly ActorRow[]> {
    return await this.#read((reads) => reads.actors(query));
  }

  async journal(actor: string, from: number, limit: number): Promise<readonly JournalRow[]> {
    return await this.#read((reads) => reads.journal(actor, from, limit));
  }

  async feed(afterSeq: number, limit: number): Promise<readonly JournalRow[]> {
    return await this.#read((reads) => reads.feed(afterSeq, limit));
  }

  async outbox(actor: string | null, limit: number): Promise<readonly OutboxRow[]> {
    return await this.#read((reads) => reads.outbox(actor, limit));
  }

  async timers(actor: string | null, limit: number): Promise<readonly TimerRow[]> {
    return await this.#read((reads) => reads.timers(actor, limit));
  }

  async inbox(actor: string, limit: number): Promise<readonly InboxRow[]> {
    return await this.#read((reads) => reads.inbox(actor, limit));
  }

  async deadLetters(actor: string | null, limit: number): Promise<readonly DeadLetterRow[]> {
    return await this.#read((reads) => reads.deadLetters(actor, limit));
  }

  async putMachine(machine: MachineRow): Promise<void> {
    if (await this.#read((reads) => reads.machine(machine.hash)) !== undefined) return;
    await this.#write(() => this.#writer.machine(machine));
  }

  async machine(hash: string): Promise<MachineRow | undefined> {
    return await this.#read((reads) => reads.machine(hash));
  }

  async record(collection: string, key: string): Promise<RecordRow | undefined> {
    return await this.#read((reads) => reads.record(collection, key));
  }

  async records(
    collection: string,
    query: Parameters<Store["records"]>[1],
  ): Promise<readonly RecordRow[]> {
    return await this.#read((reads) => reads.records(collection, query));
  }

  async prune(before: number): Promise<PruneResult> {
    const sum = { journal: 0, outbox: 0, deadLetters: 0, actors: 0 };
    for (let removed = -1; removed !== 0; sum.deadLetters += removed) {
      removed = await this.#write(() => this.#pruner.deadLetters(before));
    }
    for (let after = "";;) {
      const ids = await this.#read(() => this.#pruner.actorsAfter(after));
      if (ids.length === 0) return sum;
      const removed = await this.#write(() => this.#pruner.actors(ids, before));
      sum.journal += removed.journal;
      sum.outbox += removed.outbox;
      sum.actors += removed.actors;
      after = ids.at(-1)!;
    }
  }

  async close(): Promise<void> {
    this.#closing ??= this.#end();
    await this.#closing;
  }

  async #end(): Promise<void> {
    this.#listeners.clear();
    await this.#queue.idle();
    try {
      // With libsql, statements keep the connection until they are collected, and with it the last
      // checkpoint: so the file is made whole before. Busy is an answer here, not an error.
      await this.#patience.retry(() =>
        this.#driver.prepare("PRAGMA wal_checkpoint(TRUNCATE)").get()
      );
    } finally {
      this.#driver.close();
    }
  }

  #write<T>(work: () => T): Promise<T> {
    return this.#closing === undefined ? this.#queue.enqueue(work) : Promise.reject(this.#gone());
  }

  /** The connection is never inside a transaction here, so a read sees what is committed. */
  #read<T>(work: (reads: Reads) => T): Promise<T> {
    return this.#patience.retry(() => {
      if (this.#closing !== undefined) throw this.#gone();
      return work(this.#reads);
    });
  }

  #gone(): SidecanaryError<"store-closed"> {
    const message = `Cannot use the store "${this.name}": it was closed`;
    return new SidecanaryError("store-closed", message, { store: this.name });
  }
}
