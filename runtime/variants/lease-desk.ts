import type { Failure } from "../../machines/failure.ts";
import type { Engine } from "../engine/engine.ts";
import { isSidecanaryError } from "../errors.ts";
import type { Sandbox, Sidecar } from "../sidecars/provider.ts";
import type { RunKey } from "./campaign-ids.ts";
import { WorkerHealth } from "./worker-health.ts";

/** One sidecar of a campaign, as this process sees it. */
export interface Worker {
  /** The id of its actor. */
  readonly id: string;
  readonly index: number;
  /** Made by this process and not destroyed. */
  sidecar: Sidecar | undefined;
  /** Whether its actor is up and connected: its port `watch` runs, and the connection stands. */
  isUp: boolean;
  /** Not used any more. */
  isRetired: boolean;
  /** Nothing but a check may run on it. */
  isDoubted: boolean;
  /** Whether the builds and the baseline were green on the sidecar that it has now. */
  isProven: boolean;
  /** The name of the lease that it is under. */
  holder: string | undefined;
  /** Resolves when the sandbox before is closed. */
  settled: Promise<void>;
  /** Says that the sidecar is lost. */
  lose: ((failure: Failure) => void) | undefined;
  /** How many baselines in a row were red. */
  reds: number;
  readonly health: WorkerHealth<RunKey>;
}

/** A request for a worker. */
export interface LeaseRequest {
  /** Names the lease: unique. */
  readonly by: string;
  /**
   * No other lease beside it.
   * @default false
   */
  readonly alone?: boolean;
  /**
   * The only worker to take.
   * @default any
   */
  readonly only?: Worker | undefined;
  /**
   * A worker to take only if there is no other one.
   * @default none
   */
  readonly avoid?: string | undefined;
  /**
   * Before others, and on workers that are in doubt too.
   * @default false
   */
  readonly control?: boolean;
  readonly signal: AbortSignal;
}

/** A worker that somebody has to themselves. */
export interface Held {
  readonly by: string;
  readonly worker: Worker;
  readonly alone: boolean;
  sandbox: Sandbox | undefined;
}

interface Waiting {
  readonly request: LeaseRequest;
  readonly grant: (held: Held) => void;
  readonly refuse: (error: unknown) => void;
}

/** Hands out the campaign's sidecars, one lease each, and keeps their actors informed. */
export class LeaseDesk {
  readonly workers: readonly Worker[];
  /** Called after every change; for who feeds the desk. */
  onChange: () => void = () => {};
  /** Whether more requests for shared leases are to come: leases alone wait for them. */
  moreToCome: () => boolean = () => false;
  readonly #engine: Engine;
  readonly #waiting: Waiting[] = [];
  readonly #held = new Map<string, Held>();
  /** Leases that are granted and not known to the sidecar's actor yet. */
  #granting = 0;
  #alone = false;
  #isOpen = false;
  #events = 0;
  readonly #told = new Set<Promise<void>>();
  readonly #watching = new Set<() => void>();
  readonly #onError: (error: unknown) => void;

  constructor(engine: Engine, workers: readonly Worker[], onError: (error: unknown) => void) {
    this.#engine = engine;
    this.workers = workers;
    this.#onError = onError;
  }

  /** Hands out leases that are not for controls from now on: a baseline was green. */
  open(): void {
    this.#isOpen = true;
    this.pump();
  }

  /** How many shared leases are held or waited for. */
  get demand(): number {
    const waiting = this.#waiting.filter(({ request }) => request.alone !== true);
    return waiting.length + this.#held.size + this.#granting;
  }

  /** The workers that are not retired. */
  get usable(): readonly Worker[] {
    return this.workers.filter((worker) => !worker.isRetired);
  }

  held(by: string): Held | undefined {
    return this.#held.get(by);
  }

  /** Waits for a worker. Rejects with the signal's reason, or a {@link Failure} when none is left. */
  acquire(request: LeaseRequest): Promise<Held> {
    const { signal } = request;
    return new Promise((resolve, reject) => {
      if (signal.aborted) return reject(signal.reason as Error);
      const end = () => signal.removeEventListener("abort", abort);
      const waiting: Waiting = {
        request,
        grant: (held) => {
          end();
          resolve(held);
        },
        refuse: (error) => {
          end();
          reject(error as Error);
        },
      };
      const abort = () => {
        const at = this.#waiting.indexOf(waiting);
        if (at !== -1) this.#waiting.splice(at, 1);
        waiting.refuse(signal.reason);
        this.pump();
      };
      signal.addEventListener("abort", abort, { once: true });
      this.#waiting.push(waiting);
      this.pump();
    });
  }

  /** Gives a worker back. A name that holds nothing is ignored. */
  release(by: string): void {
    const held = this.#held.get(by);
    if (held === undefined) return;
    this.#held.delete(by);
    const { worker, sandbox } = held;
    if (sandbox !== undefined) this.close(held);
    if (held.alone) this.#alone = false;
    worker.holder = undefined;
    this.#tell(worker, { type: "RELEASE", by });
    this.pump();
  }

  /** Begins to close the sandbox of a lease; the next one on this worker waits for it. */
  close(held: Held): void {
    const { worker, sandbox } = held;
    if (sandbox === undefined) return;
    held.sandbox = undefined;
    worker.settled = sandbox.close().catch((error: unknown) => {
      // Over a connection that is lost; the next sandbox there begins with the same work.
      if (isSidecanaryError(error, "host-failed") && error.details.kind !== "never") return;
      worker.lose?.({ code: "sidecar-failed", message: String(error), class: "sidecar-lost" });
    });
  }

  /**
   * Waits until the connection to a worker's sidecar stands again.
   *
   * @throws a {@link Failure} `sidecar-lost` where that sidecar is given up
   * @throws the signal's reason when aborted
   */
  async connected({ worker }: Held, sidecar: Sidecar, signal: AbortSignal): Promise<void> {
    for (;;) {
      signal.throwIfAborted();
      if (worker.isRetired || worker.sidecar !== sidecar) throw replaced;
      if (worker.isUp) return;
      await new Promise<void>((resolve) => {
        const done = () => {
          this.#watching.delete(done);
          signal.removeEventListener("abort", done);
          resolve();
        };
        this.#watching.add(done);
        signal.addEventListener("abort", done, { once: true });
      });
    }
  }

  /** Takes a worker out of service. */
  retire(worker: Worker): void {
    worker.isRetired = true;
    this.#tell(worker, { type: "DRAIN" });
    this.pump();
  }

  /** Resolves when the actors know of everything that was given back. */
  async told(): Promise<void> {
    while (this.#told.size > 0) await Promise.all(this.#told);
    await Promise.all(this.workers.map((worker) => worker.settled));
  }

  /** Hands out what can be handed out now. */
  pump(): void {
    for (const look of [...this.#watching]) look();
    this.#refuseHopeless();
    for (const worker of this.workers) {
      if (this.#alone) break;
      if (!isFree(worker)) continue;
      const waiting = this.#next(worker);
      if (waiting !== undefined) this.#grant(worker, waiting);
    }
    this.onChange();
  }

  #next(worker: Worker): Waiting | undefined {
    const fits = ({ request }: Waiting) =>
      (request.only === undefined || request.only === worker) &&
      (request.control === true || (this.#isOpen && !worker.isDoubted));
    const candidates = this.#waiting.filter(fits);
    const shared = candidates.filter(({ request }) => request.alone !== true);
    const others = this.usable.some((each) => each !== worker && each.isUp);
    const found = shared.find(({ request }) => request.control === true) ??
      shared.find(({ request }) => request.avoid !== worker.id || !others);
    if (found !== undefined) return found;
    const nobody = this.#held.size === 0 && this.#granting === 0;
    const isQuiet = !this.#waiting.some(({ request }) => request.alone !== true) &&
      !this.moreToCome();
    return nobody && isQuiet ? candidates.find(({ request }) => request.alone === true) : undefined;
  }

  #grant(worker: Worker, waiting: Waiting): void {
    const { by, alone = false } = waiting.request;
    this.#waiting.splice(this.#waiting.indexOf(waiting), 1);
    worker.holder = by;
    this.#alone = alone;
    this.#granting++;
    this.#lease(worker, by).then((isLeased) => {
      this.#granting--;
      const { signal } = waiting.request;
      if (isLeased && !signal.aborted) {
        const held: Held = { by, worker, alone, sandbox: undefined };
        this.#held.set(by, held);
        return waiting.grant(held);
      }
      if (isLeased) this.#tell(worker, { type: "RELEASE", by });
      worker.holder = undefined;
      if (alone) this.#alone = false;
      if (!signal.aborted) this.#waiting.unshift(waiting);
      this.pump();
    }).catch((error: unknown) => {
      this.#granting--;
      worker.holder = undefined;
      if (alone) this.#alone = false;
      waiting.refuse(error);
      this.#onError(error);
    });
  }

  /** Whether the sidecar's actor agrees. */
  async #lease(worker: Worker, by: string): Promise<boolean> {
    const { sidecar } = worker;
    await worker.settled;
    await this.#deliver(worker, { type: "LEASE", by });
    const view = await this.#engine.actor(worker.id);
    const context = view?.context as { readonly lease?: string | null } | undefined;
    if (context?.lease === by) return true;
    // It is up again when its port `watch` starts; a sidecar of its own says that this has happened.
    if (worker.sidecar === sidecar) worker.isUp = false;
    return false;
  }

  #refuseHopeless(): void {
    for (const waiting of [...this.#waiting]) {
      const { only } = waiting.request;
      const isHopeless = only === undefined ? this.usable.length === 0 : only.isRetired;
      if (!isHopeless) continue;
      this.#waiting.splice(this.#waiting.indexOf(waiting), 1);
      waiting.refuse(noSidecar);
    }
  }

  #tell(worker: Worker, event: { readonly type: string; readonly by?: string }): void {
    const told = this.#deliver(worker, event).catch(this.#onError).finally(() => {
      this.#told.delete(told);
    });
    this.#told.add(told);
  }

  async #deliver(
    worker: Worker,
    event: { readonly type: string; readonly by?: string },
  ): Promise<void> {
    // The actor of a worker may be one of an earlier process: ids are this engine's own.
    const eventId = `${this.#engine.owner}:${worker.index}:${this.#events++}`;
    await this.#engine.deliver(worker.id, { ...event }, { eventId });
  }
}

/** A worker that nothing is known of yet. */
export function newWorker(id: string, index: number): Worker {
  return {
    id,
    index,
    sidecar: undefined,
    isUp: false,
    isRetired: false,
    isDoubted: false,
    isProven: false,
    holder: undefined,
    settled: Promise.resolve(),
    lose: undefined,
    reds: 0,
    health: new WorkerHealth(),
  };
}

function isFree({ isUp, isRetired, holder }: Worker): boolean {
  return isUp && !isRetired && holder === undefined;
}

const replaced: Failure = {
  code: "sidecar-lost",
  message: "The sidecar was given up while its connection was lost.",
  class: "sidecar-lost",
};

const noSidecar: Failure = {
  code: "sidecar-lost",
  message: "No sidecar is left to run on.",
  class: "sidecar-lost",
};
