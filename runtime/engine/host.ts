import process from "node:process";
import { type Clock, systemClock } from "../clock.ts";
import { SidecanaryError } from "../errors.ts";
import { type Random, systemRandom } from "../random.ts";
import type { Store } from "../store/store.ts";
import type { EngineOptions, FaultPoint, Problem } from "./options.ts";

type Settings = Required<Omit<EngineOptions, "faults" | "onProblem" | "store">>;

/** What all parts of one engine share: its store, time, randomness, settings, and whether it lives. */
export class Host {
  readonly store: Store;
  readonly clock: Clock;
  readonly random: Random;
  readonly owner: string;
  readonly settings: Settings;
  readonly problemListeners: Set<(problem: Problem) => void> = new Set();
  /** `closing` refuses new work and finishes what was begun; `closed` does nothing any more. */
  #phase: "open" | "closing" | "closed" = "open";
  readonly #sleepers = new Set<() => void>();
  readonly #faults: ((point: FaultPoint) => void | Promise<void>) | undefined;

  constructor(options: EngineOptions) {
    const random = options.random ?? systemRandom;
    this.store = options.store;
    this.clock = options.clock ?? systemClock;
    this.random = random;
    this.owner = options.owner ?? drawOwner(random);
    this.settings = {
      clock: this.clock,
      random,
      owner: this.owner,
      works: options.works ?? true,
      leaseMs: options.leaseMs ?? 10_000,
      pollMs: options.pollMs ?? 500,
      cacheSize: options.cacheSize ?? 1_000,
      retentionMs: options.retentionMs ?? 7 * 24 * 3_600_000,
      maxEffectAttempts: options.maxEffectAttempts ?? 10,
      effectBackoff: options.effectBackoff ?? defaultBackoff,
      maxInvokes: options.maxInvokes ?? 4_096,
    };
    this.#faults = options.faults;
    if (options.onProblem !== undefined) this.problemListeners.add(options.onProblem);
  }

  /** Whether new work is taken. */
  isOpen(): boolean {
    return this.#phase === "open";
  }

  /** Whether nothing may be written any more. */
  isOver(): boolean {
    return this.#phase === "closed";
  }

  enter(phase: "closing" | "closed"): void {
    this.#phase = phase;
    for (const wake of [...this.#sleepers]) wake();
  }

  /** @throws SidecanaryError `engine-closed` unless the engine takes new work */
  assertOpen(): void {
    if (!this.isOpen()) throw this.closedError();
  }

  /** @throws SidecanaryError `engine-closed` where nothing may be written any more */
  assertAlive(): void {
    if (this.isOver()) throw this.closedError();
  }

  closedError(): SidecanaryError<"engine-closed"> {
    return new SidecanaryError(
      "engine-closed",
      `Cannot use the engine "${this.owner}": it was closed; open another one`,
      { owner: this.owner },
    );
  }

  /** A named point that tests and simulations may fail, delay or crash at. */
  fault(point: FaultPoint): Promise<void> | undefined {
    if (this.#faults === undefined) return undefined;
    return this.#hitFault(point);
  }

  async #hitFault(point: FaultPoint): Promise<void> {
    await this.#faults?.(point);
    this.assertAlive();
  }

  /** Tells the listeners; without any, the process is warned. */
  problem(problem: Problem): void {
    if (this.problemListeners.size === 0) {
      process.emitWarning(problem.message, { type: "SidecanaryWarning", code: problem.kind });
    }
    for (const listener of this.problemListeners) {
      try {
        listener(problem);
      } catch (error) {
        process.emitWarning(asError(error));
      }
    }
  }

  /** Waits `delayMs` on the engine's clock, or until the engine is closed. */
  sleep(delayMs: number): Promise<void> {
    if (!this.isOpen()) return Promise.resolve();
    return new Promise((resolve) => {
      const wake = () => {
        this.clock.clearTimeout(timer);
        this.#sleepers.delete(wake);
        resolve();
      };
      const timer = this.clock.setTimeout(wake, delayMs);
      this.#sleepers.add(wake);
    });
  }
}

/** What was thrown, as an `Error` with the message or the JSON of what is none. */
export function asError(thrown: unknown): Error {
  return thrown instanceof Error ? thrown : new Error(describe(thrown), { cause: thrown });
}

function describe(thrown: unknown): string {
  if (typeof thrown !== "object" || thrown === null) return String(thrown);
  const { message } = thrown as { readonly message?: unknown };
  if (typeof message === "string") return message;
  try {
    return JSON.stringify(thrown) ?? String(thrown);
  } catch {
    return String(thrown);
  }
}

function drawOwner(random: Random): string {
  const part = () => Math.floor(random() * 2 ** 32).toString(36).padStart(7, "0");
  return `engine-${part()}${part()}`;
}

function defaultBackoff(attempt: number, random: Random): number {
  const full = Math.min(60_000, 100 * 2 ** (attempt - 1));
  return Math.round(full / 2 + random() * full / 2);
}
