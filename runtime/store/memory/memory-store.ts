import { SidecanaryError } from "../../errors.ts";
import { checkCommit } from "../check-commit.ts";
import { Listeners } from "../listeners.ts";
import { makesWork } from "../makes-work.ts";
import { compareText } from "../text-order.ts";
import { claim, nextDue } from "./claim.ts";
import { applyCommit, writeDeadLetter } from "./commit.ts";
import { prune } from "./prune.ts";
import { closeOutbox, Tables, unclaim } from "./tables.ts";
import type {
  ActorRow,
  ActorStatus,
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

/** What {@link openMemoryStore} takes. */
export interface MemoryStoreOptions {
  /**
   * For messages.
   *
   * @default "memory"
   */
  readonly name?: string;
}

/**
 * A store that lives as long as its object. Several engines of one process may share it. It never
 * waits: every answer is there in the next microtask, which makes simulated runs repeatable.
 */
export function openMemoryStore(options: MemoryStoreOptions = {}): Store {
  return new MemoryStore(options.name ?? "memory");
}

class MemoryStore implements Store {
  readonly name: string;
  #tables = new Tables();
  readonly #listeners = new Listeners();
  #closed = false;

  constructor(name: string) {
    this.name = name;
  }

  // deno-lint-ignore require-await -- every method of a store answers by a promise
  async commit(commit: Commit): Promise<CommitResult> {
    const tables = this.#open();
    checkCommit(commit);
    const result = applyCommit(tables, commit);
    if (makesWork(commit, result)) this.#listeners.notify();
    return result;
  }

  // deno-lint-ignore require-await -- see above
  async claim(request: ClaimRequest): Promise<readonly ClaimedWork[]> {
    if (request.owner === "") throw new TypeError("Cannot lease to the owner ''");
    return claim(this.#open(), request);
  }

  // deno-lint-ignore require-await -- see above
  async renew(owner: string, actors: readonly string[], until: number): Promise<readonly string[]> {
    const tables = this.#open();
    return actors.filter((id) => {
      const entry = tables.entries.get(id);
      if (entry?.row === undefined || entry.row.owner !== owner) return true;
      const leaseUntil = Math.max(entry.row.leaseUntil, until);
      tables.setRow(entry, { ...entry.row, leaseUntil });
      tables.reindex(entry);
      return false;
    });
  }

  // deno-lint-ignore require-await -- see above
  async release(owner: string, actors: readonly string[]): Promise<void> {
    const tables = this.#open();
    for (const id of actors) {
      const entry = tables.entries.get(id);
      if (entry?.row === undefined || entry.row.owner !== owner) continue;
      unclaim(entry);
      tables.setRow(entry, { ...entry.row, owner: null, leaseUntil: 0 });
      tables.reindex(entry);
    }
    this.#listeners.notify();
  }

  // deno-lint-ignore require-await -- see above
  async settle(settlements: readonly Settlement[], _now: number): Promise<readonly string[]> {
    const tables = this.#open();
    const refused: string[] = [];
    for (const { actor, id, epoch, outcome } of settlements) {
      const entry = tables.entries.get(actor);
      const row = entry?.open?.get(id);
      if (entry === undefined || row === undefined || entry.row?.epoch !== epoch) {
        refused.push(id);
        continue;
      }
      if (outcome.kind === "done") closeOutbox(entry, id, "done");
      else if (outcome.kind === "retry") {
        const { due } = outcome;
        const again = { ...row, attempts: row.attempts + 1, due, claimed: null };
        entry.open!.set(id, Object.freeze(again));
      } else {
        closeOutbox(entry, id, "dead");
        tables.reindex(writeDeadLetter(tables, outcome.letter));
      }
      tables.reindex(entry);
    }
    if (settlements.some((each) => each.outcome.kind === "retry")) this.#listeners.notify();
    return refused;
  }

  // deno-lint-ignore require-await -- see above
  async nextDue(
    owner: string,
    hashes: readonly string[],
    now: number,
  ): Promise<number | undefined> {
    return nextDue(this.#open(), owner, new Set(hashes), now);
  }

  watch(listener: () => void): () => void {
    return this.#listeners.add(listener);
  }

  // deno-lint-ignore require-await -- see above
  async read(actor: string): Promise<ActorRow | undefined> {
    return this.#open().entries.get(actor)?.row;
  }

  // deno-lint-ignore require-await -- see above
  async actors(query: {
    readonly machine?: string;
    readonly status?: ActorStatus;
    readonly prefix?: string;
    readonly after?: string;
    readonly limit: number;
  }): Promise<readonly ActorRow[]> {
    const { machine, status, prefix = "", after, limit } = query;
    const rows: ActorRow[] = [];
    const sorted = this.#open().sorted();
    for (let at = firstAfter(sorted, prefix, after); at < sorted.length; at++) {
      const { id, row } = sorted[at]!;
      if (rows.length >= limit || !id.startsWith(prefix)) break;
      if (row === undefined || (after !== undefined && id === after)) continue;
      if (machine !== undefined && row.machine !== machine) continue;
      if (status !== undefined && row.status !== status) continue;
      rows.push(row);
    }
    return rows;
  }

  // deno-lint-ignore require-await -- see above
  async journal(actor: string, from: number, limit: number): Promise<readonly JournalRow[]> {
    const entry = this.#open().entries.get(actor);
    if (entry?.row === undefined) return [];
    const start = Math.max(0, from - entry.row.base);
    return entry.journal.slice(start, start + limit);
  }

  // deno-lint-ignore require-await -- see above
  async feed(afterSeq: number, limit: number): Promise<readonly JournalRow[]> {
    const { feed } = this.#open();
    let low = 0;
    for (let high = feed.length; low < high;) {
      const middle = (low + high) >> 1;
      if (feed[middle]!.seq <= afterSeq) low = middle + 1;
      else high = middle;
    }
    return feed.slice(low, low + limit);
  }

  // deno-lint-ignore require-await -- see above
  async outbox(actor: string | null, limit: number): Promise<readonly OutboxRow[]> {
    const tables = this.#open();
    if (actor !== null) {
      const entry = tables.entries.get(actor);
      return [...entry?.closed?.values() ?? [], ...entry?.open?.values() ?? []]
        .sort((a, b) => a.revision - b.revision || a.index - b.index).slice(0, limit);
    }
    return [...tables.entries.values()].flatMap((entry) => [...entry.open?.values() ?? []])
      .sort((a, b) =>
        a.due - b.due || compareText(a.actor, b.actor) || a.revision - b.revision ||
        a.index - b.index
      ).slice(0, limit);
  }

  // deno-lint-ignore require-await -- see above
  async timers(actor: string | null, limit: number): Promise<readonly TimerRow[]> {
    const tables = this.#open();
    const entries = actor === null ? tables.entries.values() : [tables.entries.get(actor)];
    return [...entries].flatMap((entry) => [...entry?.timers?.values() ?? []])
      .sort((a, b) => a.due - b.due || compareText(a.actor, b.actor) || compareText(a.id, b.id))
      .slice(0, limit);
  }

  // deno-lint-ignore require-await -- see above
  async inbox(actor: string, limit: number): Promise<readonly InboxRow[]> {
    const entry = this.#open().entries.get(actor);
    return [...entry?.inbox?.values() ?? []].slice(0, limit).map((arrival) => arrival.row);
  }

  // deno-lint-ignore require-await -- see above
  async deadLetters(actor: string | null, limit: number): Promise<readonly DeadLetterRow[]> {
    const tables = this.#open();
    const rows = actor === null ? tables.letters : tables.entries.get(actor)?.letters?.values();
    return [...rows ?? []].slice(0, limit);
  }

  // deno-lint-ignore require-await -- see above
  async putMachine(machine: MachineRow): Promise<void> {
    const { machines } = this.#open();
    const { hash, name, definition, at } = machine;
    if (!machines.has(hash)) machines.set(hash, Object.freeze({ hash, name, definition, at }));
  }

  // deno-lint-ignore require-await -- see above
  async machine(hash: string): Promise<MachineRow | undefined> {
    return this.#open().machines.get(hash);
  }

  // deno-lint-ignore require-await -- see above
  async record(collection: string, key: string): Promise<RecordRow | undefined> {
    return this.#open().records.get(collection)?.get(key);
  }

  // deno-lint-ignore require-await -- see above
  async records(
    collection: string,
    query: { readonly prefix?: string; readonly after?: string; readonly limit: number },
  ): Promise<readonly RecordRow[]> {
    const { prefix = "", after, limit } = query;
    return [...this.#open().records.get(collection)?.values() ?? []]
      .filter(({ key }) =>
        key.startsWith(prefix) && (after === undefined || compareText(key, after) > 0)
      )
      .sort((a, b) => compareText(a.key, b.key))
      .slice(0, limit);
  }

  // deno-lint-ignore require-await -- see above
  async prune(before: number): Promise<PruneResult> {
    return prune(this.#open(), before);
  }

  // deno-lint-ignore require-await -- see above
  async close(): Promise<void> {
    this.#closed = true;
    this.#listeners.clear();
    this.#tables = new Tables();
  }

  #open(): Tables {
    if (this.#closed) {
      const message = `Cannot use the store "${this.name}": it was closed`;
      throw new SidecanaryError("store-closed", message, { store: this.name });
    }
    return this.#tables;
  }
}

function firstAfter(
  sorted: readonly { readonly id: string }[],
  prefix: string,
  after: string | undefined,
): number {
  const from = after !== undefined && compareText(after, prefix) > 0 ? after : prefix;
  let low = 0;
  for (let high = sorted.length; low < high;) {
    const middle = (low + high) >> 1;
    if (compareText(sorted[middle]!.id, from) < 0) low = middle + 1;
    else high = middle;
  }
  return low;
}
