import { join } from "node:path";
import type { Clock } from "../clock.ts";
import { SidecanaryError } from "../errors.ts";
import type { Random } from "../random.ts";
import type { StateFolder } from "../state-folder.ts";
import type { Store } from "../store/store.ts";
import { openSqliteStore } from "../store/sqlite/sqlite-store.ts";
import type { Where } from "./where.ts";

/** What is known of a warm sidecar beside its actor. */
export interface WarmRecord {
  /** {@link WarmKey.id}. */
  readonly key: string;
  /** For people. */
  readonly title: string;
  /** How many sidecars the key has had; the actor's id is made of it. */
  readonly generation: number;
  readonly where: Where;
  /** The provider in words. */
  readonly place: string;
  /** The name of the host. */
  readonly host: string;
  /** In ms since the epoch. */
  readonly createdAt: number;
  readonly expiresAt: number;
  readonly usedAt: number;
  /** The tree that was delivered last, `null` before the first one. */
  readonly tree: string | null;
}

const PAGE = 500;
const SIDECARS = "warm";

/** The store of a state folder's warm sidecars: several processes may have it open. */
export function openWarmStore(
  folder: StateFolder,
  clock: Clock,
  random: Random,
): Promise<Store> {
  return openSqliteStore({ path: join(folder.dir, "warm.db"), clock, random });
}

/** Typed access to the rows of a warm store. */
export class WarmRecords {
  readonly #store: Store;
  readonly #clock: Clock;

  constructor(store: Store, clock: Clock) {
    this.#store = store;
    this.#clock = clock;
  }

  /** The record of a key, `undefined` where it has no sidecar. */
  sidecar(key: string): Promise<WarmRecord | undefined> {
    return this.read<WarmRecord>(SIDECARS, key);
  }

  /** All records, by key. */
  async sidecars(): Promise<WarmRecord[]> {
    const found: WarmRecord[] = [];
    let after: string | undefined;
    for (;;) {
      const page = await this.#store.records(SIDECARS, {
        limit: PAGE,
        ...(after === undefined ? {} : { after }),
      });
      for (const { value } of page) found.push(JSON.parse(value) as WarmRecord);
      after = page.at(-1)?.key;
      if (page.length < PAGE) return found;
    }
  }

  /** Writes a record, or removes it. */
  async keep(key: string, record: WarmRecord | null): Promise<void> {
    await this.write(SIDECARS, key, record);
  }

  /** A value of a collection. The caller knows what was written there. */
  async read<Value>(collection: string, key: string): Promise<Value | undefined> {
    const row = await this.#store.record(collection, key);
    return row === undefined ? undefined : JSON.parse(row.value) as Value;
  }

  /** Writes a value, `null` removes it; durable when it resolves. */
  async write(collection: string, key: string, value: unknown): Promise<void> {
    if (await this.tryWrite(collection, key, value)) return;
    throw new SidecanaryError("store-failed", "Cannot write a record: another process did", {
      store: this.#store.name,
    });
  }

  /** Whether the value was written: only where `expected` is the version that stands there. */
  async tryWrite(
    collection: string,
    key: string,
    value: unknown,
    expected?: number,
  ): Promise<boolean> {
    const text = value === null ? null : JSON.stringify(value);
    const write = { collection, key, value: text };
    const result = await this.#store.commit({
      transitions: [],
      deadLetters: [],
      records: [expected === undefined ? write : { ...write, expected }],
      lease: null,
      now: this.#clock.now(),
    });
    return result.outcome === "committed";
  }
}
