import type { Clock } from "../clock.ts";
import { SidecanaryError } from "../errors.ts";
import type { RecordWrite, Store } from "../store/store.ts";

/** The rows of a feature's own: typed access to the store's records, as JSON. */
export class Records {
  readonly #store: Store;
  readonly #clock: Clock;
  readonly #onError: (error: unknown) => void;

  /** @param onError told of every write that failed, beside who asked for it */
  constructor(store: Store, clock: Clock, onError: (error: unknown) => void = () => {}) {
    this.#store = store;
    this.#clock = clock;
    this.#onError = onError;
  }

  /** The value under `key`, or `undefined`. The caller knows what was written there. */
  async read<Value>(collection: string, key: string): Promise<Value | undefined> {
    const row = await this.#store.record(collection, key);
    return row === undefined ? undefined : JSON.parse(row.value) as Value;
  }

  /** All values of a collection by key. */
  async all<Value>(collection: string): Promise<Map<string, Value>> {
    const found = new Map<string, Value>();
    let after: string | undefined;
    for (;;) {
      const page = await this.#store.records(collection, {
        limit: PAGE,
        ...(after === undefined ? {} : { after }),
      });
      for (const { key, value } of page) found.set(key, JSON.parse(value) as Value);
      after = page.at(-1)?.key;
      if (page.length < PAGE) return found;
    }
  }

  /** Writes a value, durably when it resolves. */
  async write(collection: string, key: string, value: unknown): Promise<void> {
    await this.commit([{ collection, key, value: JSON.stringify(value) }]);
  }

  /** Removes a whole collection. */
  async drop(collection: string): Promise<void> {
    const keys = [...(await this.all(collection)).keys()];
    for (let at = 0; at < keys.length; at += PAGE) {
      await this.commit(keys.slice(at, at + PAGE).map((key) => ({ collection, key, value: null })));
    }
  }

  /** @throws SidecanaryError `store-failed` where another process wrote in between */
  async commit(records: readonly RecordWrite[]): Promise<void> {
    if (!(await this.tryCommit(records))) {
      throw new SidecanaryError("store-failed", "Cannot write records: another process did", {
        store: "records",
      });
    }
  }

  /** Whether the writes were made; `false` where an `expected` version did not stand there. */
  async tryCommit(records: readonly RecordWrite[]): Promise<boolean> {
    try {
      const result = await this.#store.commit({
        transitions: [],
        deadLetters: [],
        records,
        lease: null,
        now: this.#clock.now(),
      });
      return result.outcome === "committed";
    } catch (error) {
      this.#onError(error);
      throw error;
    }
  }
}

const PAGE = 500;
