import { setImmediate } from "node:timers";
import type { Driver, Statement } from "./driver.ts";
import type { Patience } from "./patience.ts";

/** How many writes share a transaction at most: bounds how long the event loop is held. */
const LARGEST_GROUP = 256;

interface Job {
  readonly since: number;
  readonly work: () => unknown;
  readonly resolve: (value: unknown) => void;
  readonly reject: (error: unknown) => void;
}

type Outcome = { readonly value: unknown } | { readonly error: unknown };

/**
 * Group commit: writes that come in one turn of the event loop, or while the lock is awaited, share
 * one transaction and one sync of the disk. Each has a savepoint of its own, so a write that throws
 * leaves the others alone. Nothing is answered before COMMIT has returned.
 */
export class WriteQueue {
  readonly #patience: Patience;
  readonly #begin: Statement;
  readonly #commit: Statement;
  readonly #rollback: Statement;
  readonly #savepoint: Statement;
  readonly #release: Statement;
  readonly #rollbackTo: Statement;
  readonly #idle: (() => void)[] = [];
  #jobs: Job[] = [];
  #scheduled = false;
  #tries = 0;

  constructor(driver: Driver, patience: Patience) {
    this.#patience = patience;
    this.#begin = driver.prepare("BEGIN IMMEDIATE");
    this.#commit = driver.prepare("COMMIT");
    this.#rollback = driver.prepare("ROLLBACK");
    this.#savepoint = driver.prepare("SAVEPOINT job");
    this.#release = driver.prepare("RELEASE job");
    this.#rollbackTo = driver.prepare("ROLLBACK TO job");
  }

  /** Runs `work` inside a transaction. It may run again where the transaction could not be ended. */
  enqueue<T>(work: () => T): Promise<T> {
    return new Promise<T>((resolve, reject) => {
      const since = this.#patience.now();
      this.#jobs.push({ since, work, resolve: resolve as Job["resolve"], reject });
      this.#schedule();
    });
  }

  /** Resolves when nothing is left to be written. */
  async idle(): Promise<void> {
    if (this.#jobs.length > 0) await new Promise<void>((resolve) => this.#idle.push(resolve));
  }

  #schedule(): void {
    if (this.#scheduled) return;
    this.#scheduled = true;
    setImmediate(this.#flush);
  }

  #flush = (): void => {
    this.#scheduled = false;
    const group = this.#jobs.slice(0, LARGEST_GROUP);
    let outcomes: readonly Outcome[];
    try {
      this.#begin.run();
      outcomes = this.#run(group);
    } catch (error) {
      if (this.#patience.isBusy(error)) return this.#wait(error);
      outcomes = group.map(() => ({ error }));
    }
    this.#tries = 0;
    this.#jobs = this.#jobs.slice(group.length);
    if (this.#jobs.length > 0) this.#schedule();
    for (const [at, { resolve, reject }] of group.entries()) {
      const outcome = outcomes[at]!;
      if ("error" in outcome) reject(this.#patience.failure(outcome.error));
      else resolve(outcome.value);
    }
    this.#wakeIdle();
  };

  #run(group: readonly Job[]): readonly Outcome[] {
    try {
      const outcomes = group.length === 1
        ? [{ value: group[0]!.work() }]
        : group.map((job) => this.#runOne(job));
      this.#commit.run();
      return outcomes;
    } catch (error) {
      this.#abandon(error);
      throw error;
    }
  }

  #runOne({ work }: Job): Outcome {
    this.#savepoint.run();
    try {
      const value = work();
      this.#release.run();
      return { value };
    } catch (error) {
      try {
        this.#rollbackTo.run();
        this.#release.run();
      } catch {
        // There is no savepoint left: SQLite has ended the whole transaction over `error`.
        throw error;
      }
      return { error };
    }
  }

  #abandon(cause: unknown): void {
    try {
      this.#rollback.run();
    } catch (error) {
      // SQLite ends the transaction by itself after some errors (full disk, I/O). Where it did not,
      // the next BEGIN fails loudly, so the cause is what callers must see.
      if (cause instanceof Error && cause.cause === undefined) cause.cause = error;
    }
  }

  #wait(busy: unknown): void {
    const impatient = this.#jobs.filter((job) => this.#patience.isOver(job.since));
    if (impatient.length > 0) {
      this.#jobs = this.#jobs.filter((job) => !impatient.includes(job));
      for (const { reject, since } of impatient) reject(this.#patience.busy(since, busy));
    }
    if (this.#jobs.length === 0) {
      this.#tries = 0;
      return this.#wakeIdle();
    }
    this.#scheduled = true;
    this.#patience.later(this.#tries++, this.#flush);
  }

  #wakeIdle(): void {
    if (this.#jobs.length > 0) return;
    for (const resolve of this.#idle.splice(0)) resolve();
  }
}
