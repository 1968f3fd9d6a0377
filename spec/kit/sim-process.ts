import type { Clock } from "../../runtime/clock.ts";
import { type Engine, openEngine } from "../../runtime/engine/engine.ts";
import type { EngineOptions, FaultPoint, Problem } from "../../runtime/engine/options.ts";
import type { Store } from "../../runtime/store/store.ts";

/** What a {@link SimProcess} is made of. */
export interface ProcessOptions {
  readonly name: string;
  readonly clock: Clock;
  /**
   * How far this process's clock is ahead of the world's, in ms.
   * @default 0
   */
  readonly skewMs?: number;
  /** The store as this process reaches it. */
  readonly store: (process: SimProcess) => Store;
  readonly engine: Partial<EngineOptions>;
  /**
   * Called at every named point of the engine: a crash there is a crash between two steps of it.
   * @default nothing happens
   */
  readonly onPoint?: ((process: SimProcess, point: FaultPoint) => void) | undefined;
  /** Called with each engine before it is used: registers machines and handlers. */
  readonly boot: (engine: Engine, process: SimProcess) => void;
}

/** A process that can crash, begin anew, and stand still while the world goes on. */
export class SimProcess implements Clock {
  readonly name: string;
  readonly problems: Problem[] = [];
  readonly #options: ProcessOptions;
  #engine: Engine | undefined;
  #life = 0;
  /** What waits for the process to go on. */
  #held: (() => void)[] | undefined;

  constructor(options: ProcessOptions) {
    this.name = options.name;
    this.#options = options;
  }

  /** The engine that runs now, if one does. */
  get engine(): Engine | undefined {
    return this.#engine;
  }

  now(): number {
    return this.#options.clock.now() + (this.#options.skewMs ?? 0);
  }

  setTimeout(callback: () => void, delayMs: number): unknown {
    let isCleared = false;
    const fire = () => {
      if (isCleared) return;
      if (this.#held === undefined) callback();
      else this.#held.push(fire);
    };
    const handle = this.#options.clock.setTimeout(fire, delayMs);
    return () => {
      isCleared = true;
      this.#options.clock.clearTimeout(handle);
    };
  }

  clearTimeout(handle: unknown): void {
    (handle as () => void)();
  }

  async open(): Promise<void> {
    const life = ++this.#life;
    const engine = await openEngine({
      ...this.#options.engine,
      clock: this,
      store: this.#options.store(this),
      faults: (point) => {
        // The dead do not die again.
        if (life === this.#life && this.#engine !== undefined) this.#options.onPoint?.(this, point);
      },
      owner: `${this.name}.${life}`,
      onProblem: (problem) => void this.problems.push(problem),
    });
    this.#options.boot(engine, this);
    this.#engine = engine;
  }

  /** Ends as a power cut would, and comes back after a while, if it is to come back. */
  crash(backAfterMs?: number): void {
    if (this.#engine === undefined) return;
    this.#engine.kill();
    this.#engine = undefined;
    this.resume();
    if (backAfterMs !== undefined) {
      this.#options.clock.setTimeout(() => void this.open(), backAfterMs);
    }
  }

  /** Stands still: timers and answers wait until it goes on. */
  pause(ms: number): void {
    if (this.#held !== undefined || this.#engine === undefined) return;
    const held: (() => void)[] = this.#held = [];
    this.#options.clock.setTimeout(() => {
      if (this.#held === held) this.resume();
    }, ms);
  }

  resume(): void {
    const held = this.#held ?? [];
    this.#held = undefined;
    for (const each of held) each();
  }

  /** Resolves when the process does not stand still. */
  async running(): Promise<void> {
    while (this.#held !== undefined) {
      await new Promise<void>((resolve) => this.#held?.push(resolve));
    }
  }
}
