import type { WarmRecords } from "./warm-records.ts";

/** What a session's validations leave for the next one. Failures are never remembered as results. */
export class ValidateMemory {
  readonly #records: WarmRecords;
  readonly #session: string;

  /** @param session the id of the session's key */
  constructor(records: WarmRecords, session: string) {
    this.#records = records;
    this.#session = session;
  }

  /** Whether the last green run was for this key. */
  async isGreen(key: string): Promise<boolean> {
    return (await this.#records.read<{ key: string }>("green", this.#session))?.key === key;
  }

  /** A run was green for `key`; `null` where the tree cannot be trusted to be what was tested. */
  async green(key: string | null): Promise<void> {
    await this.#records.write("green", this.#session, key === null ? null : { key });
    await this.resetAttempts();
  }

  /** A run failed. Answers how many have failed in a row. */
  async failed(): Promise<number> {
    const before = await this.#records.read<{ count: number }>("attempts", this.#session);
    const count = (before?.count ?? 0) + 1;
    await this.#records.write("green", this.#session, null);
    await this.#records.write("attempts", this.#session, { count });
    return count;
  }

  /** The row of failures is over. */
  async resetAttempts(): Promise<void> {
    await this.#records.write("attempts", this.#session, null);
  }
}
