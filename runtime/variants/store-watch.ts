import { isSidecanaryError, SidecanaryError } from "../errors.ts";
import type { Clock } from "../clock.ts";
import type { Store } from "../store/store.ts";
import { Records } from "./records.ts";

/** How long a store may fail before a campaign gives up, in ms. */
export const STORE_PATIENCE_MS = 10_000;

const PROBE_MS = 500;
/** {@link https://www.sqlite.org/rescode.html#full} */
const SQLITE_FULL = 13;

/** What a {@link StoreWatch} needs to know. */
export interface StoreWatchOptions {
  readonly store: Store;
  readonly clock: Clock;
  /** The folder that the store is in, for the message. */
  readonly folder: string;
}

/**
 * Notices that a store does not come back. The engine tries for ever what the store refuses, which
 * is right for a service and not for a command that somebody waits for.
 */
export class StoreWatch {
  readonly #options: StoreWatchOptions;
  readonly #over = new AbortController();
  #isProbing = false;
  #isClosed = false;

  constructor(options: StoreWatchOptions) {
    this.#options = options;
  }

  /** Aborts with a `store-failed` when it is given up. */
  get signal(): AbortSignal {
    return this.#over.signal;
  }

  /**
   * Takes note of a failure. A full disk is given up at once; anything else when nothing can be
   * written for {@link STORE_PATIENCE_MS}.
   */
  note(error: unknown): void {
    if (this.signal.aborted) return;
    if (isFull(error)) return this.giveUp(error);
    if (this.#isProbing) return;
    this.#isProbing = true;
    void this.#probe().finally(() => this.#isProbing = false);
  }

  giveUp(error: unknown): void {
    this.#over.abort(this.#failure(error));
  }

  /** Whether the store was given up: whoever asks it for anything may wait long. */
  get isGivenUp(): boolean {
    return this.signal.aborted && !this.#isClosed;
  }

  /** Ends what it does. */
  close(): void {
    if (this.signal.aborted) return;
    this.#isClosed = true;
    this.#over.abort(new Error("the campaign is over"));
  }

  /** An error of the store as the `store-failed` that says what to do; another one as it is. */
  explain(error: unknown): unknown {
    if (this.signal.aborted) return this.signal.reason;
    return isSidecanaryError(error, "store-failed") ? this.#failure(error) : error;
  }

  #failure(error: unknown): SidecanaryError<"store-failed"> {
    const { folder } = this.#options;
    const message = isFull(error)
      ? `Cannot go on: the disk of the state folder "${folder}" is full. ` +
        "Free some space, or set XDG_STATE_HOME to a folder elsewhere"
      : `Cannot go on: nothing can be written in the state folder "${folder}": ${messageOf(error)}`;
    return new SidecanaryError("store-failed", message, { store: storeOf(error, folder) }, error);
  }

  async #probe(): Promise<void> {
    const { store, clock } = this.#options;
    const records = new Records(store, clock);
    const since = clock.now();
    while (!this.signal.aborted) {
      try {
        return await records.write("campaigns", "probe", since);
      } catch (error) {
        if (isFull(error) || clock.now() - since >= STORE_PATIENCE_MS) return this.giveUp(error);
      }
      await this.#sleep(PROBE_MS);
    }
  }

  #sleep(delayMs: number): Promise<void> {
    const { clock } = this.#options;
    return new Promise((resolve) => {
      const wake = () => {
        clock.clearTimeout(timer);
        this.signal.removeEventListener("abort", wake);
        resolve();
      };
      const timer = clock.setTimeout(wake, delayMs);
      this.signal.addEventListener("abort", wake, { once: true });
    });
  }
}

/** Whether SQLite said that the disk is full, by either of its bindings. */
function isFull(error: unknown): boolean {
  if (!isSidecanaryError(error, "store-failed")) return false;
  const { errcode, rawCode } = (error.cause ?? {}) as {
    readonly errcode?: unknown;
    readonly rawCode?: unknown;
  };
  const code = errcode ?? rawCode;
  return typeof code === "number" && (code & 0xff) === SQLITE_FULL;
}

function storeOf(error: unknown, folder: string): string {
  return isSidecanaryError(error, "store-failed") ? error.details.store : folder;
}

function messageOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}
