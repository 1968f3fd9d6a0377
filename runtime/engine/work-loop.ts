import type { ClaimedWork, InboxRow, TimerRow } from "../store/store.ts";
import type { EventData } from "./actor-state.ts";
import { asError, type Host } from "./host.ts";
import type { Job } from "./job.ts";
import type { Registry } from "./registry.ts";

/** What the loop needs of the engine. */
export interface WorkLoopHooks {
  /**
   * Brings an event that arrived by itself to its actor. Answers whether that came to anything, and
   * never rejects: what failed is found again at the next poll.
   */
  readonly deliver: (job: Job) => Promise<boolean>;
  /** The actors with effects that run here: an own lease of any other that ran out is a lost one. */
  readonly running: () => readonly string[];
  /** What was claimed with its actor, before its events are delivered. */
  readonly claimed: (work: ClaimedWork) => void;
}

const actorsPerClaim = 100;

/**
 * Looks for due work and does it: on a notification of the store, when the earliest due time comes,
 * and by polling. One look at a time.
 */
export class WorkLoop {
  readonly #host: Host;
  readonly #registry: Registry;
  readonly #hooks: WorkLoopHooks;
  #timer: unknown;
  #armedFor = Infinity;
  /** The earliest due time that came up during a look, which may not have seen it. */
  #dueMeanwhile = Infinity;
  #looking: Promise<void> | undefined;
  #again = false;
  #unwatch: () => void = () => {};

  constructor(host: Host, registry: Registry, hooks: WorkLoopHooks) {
    this.#host = host;
    this.#registry = registry;
    this.#hooks = hooks;
  }

  start(): void {
    if (!this.#host.settings.works) return;
    this.#unwatch = this.#host.store.watch(() => this.kick());
    this.kick();
  }

  /** Stops looking. What was begun goes on. */
  stop(): void {
    this.#unwatch();
    this.#disarm();
  }

  /** Looks as soon as possible. */
  kick(): void {
    if (!this.#host.isOpen() || !this.#host.settings.works) return;
    this.#again = true;
    this.#looking ??= Promise.resolve().then(() => this.#look()).finally(() => {
      this.#looking = undefined;
      if (this.#again) this.kick();
    });
  }

  /** Looks at this time at the latest. */
  dueAt(due: number): void {
    if (!this.#host.settings.works) return;
    if (this.#looking !== undefined) this.#dueMeanwhile = Math.min(this.#dueMeanwhile, due);
    else if (due < this.#armedFor) this.#arm(due);
  }

  get isIdle(): boolean {
    return this.#looking === undefined;
  }

  async drained(): Promise<void> {
    while (this.#looking !== undefined) await this.#looking;
  }

  async #look(): Promise<void> {
    const { clock, settings, store, owner } = this.#host;
    this.#disarm();
    let next: number | undefined;
    try {
      while (this.#again && this.#host.isOpen() && this.#registry.hashes.length > 0) {
        this.#again = false;
        if (await this.#claim()) this.#again = true;
      }
      this.#again = false;
      if (this.#registry.hashes.length > 0 && this.#host.isOpen()) {
        this.#dueMeanwhile = Infinity;
        next = await store.nextDue(owner, this.#registry.hashes, clock.now());
      }
    } catch (error) {
      this.#again = false;
      if (!this.#host.isOpen()) return;
      this.#host.problem({
        kind: "store",
        message: `Cannot look for due work: ${asError(error).message}; tried again`,
        error: asError(error),
      });
    }
    if (!this.#host.isOpen()) return;
    const now = clock.now();
    // What is due but was not handed out is another's, or was left by a failure: look again later.
    const latest = Math.min(now + settings.pollMs, Math.max(now, this.#dueMeanwhile));
    this.#arm(next === undefined || next <= now ? latest : Math.min(next, latest));
  }

  /** Answers whether anything was done. */
  async #claim(): Promise<boolean> {
    const { clock, owner, settings, store } = this.#host;
    await this.#host.fault("claim.before");
    const now = clock.now();
    const claimed = await store.claim({
      owner,
      hashes: this.#registry.hashes,
      running: this.#hooks.running(),
      now,
      until: now + settings.leaseMs,
      limit: actorsPerClaim,
    });
    this.#host.assertAlive();
    await this.#host.fault("claim.after");
    if (!this.#host.isOpen()) return false;
    for (const work of claimed) this.#hooks.claimed(work);
    const arrivals = claimed.flatMap((work) => work.inbox).sort((a, b) => a.seq - b.seq);
    const due = claimed.flatMap((work) => work.timers).sort((a, b) => a.due - b.due);
    const came = await Promise.all([
      this.#arriveAll(arrivals),
      ...due.map((row) => this.#fire(row)),
    ]);
    this.#host.assertAlive();
    // Work that comes to nothing waits for the next poll, and does not spin.
    return came.includes(true) || claimed.some((work) => work.outbox.length > 0);
  }

  /** Answers whether anything was done. */
  async #arriveAll(rows: readonly InboxRow[]): Promise<boolean> {
    // What a supervisor tells several children happens in the order in which it was told.
    if (rows.some(isControl)) {
      let came = false;
      for (const row of rows) came = await this.#arrive(row) || came;
      return came;
    }
    return (await Promise.all(rows.map((row) => this.#arrive(row)))).includes(true);
  }

  async #arrive(row: InboxRow): Promise<boolean> {
    await this.#host.fault("inbox.before");
    const { actor, eventId, cause } = row;
    return await this.#hooks.deliver({ actor, eventId, cause, what: arrival(row) });
  }

  async #fire({ actor, id, revision }: TimerRow): Promise<boolean> {
    await this.#host.fault("timer.before");
    return await this.#hooks.deliver({
      actor,
      eventId: `timer:${id}:${revision}`,
      cause: "timer",
      what: { kind: "timer", id, revision },
    });
  }

  #arm(due: number): void {
    this.#disarm();
    if (due === Infinity || !this.#host.isOpen()) return;
    const { clock } = this.#host;
    this.#armedFor = due;
    // Node fires at once what lies further away than a 32-bit number of milliseconds.
    const delayMs = Math.min(Math.max(0, due - clock.now()), 2 ** 31 - 1);
    this.#timer = clock.setTimeout(() => this.kick(), delayMs);
  }

  #disarm(): void {
    if (this.#timer !== undefined) this.#host.clock.clearTimeout(this.#timer);
    this.#timer = undefined;
    this.#armedFor = Infinity;
  }
}

function isControl(row: InboxRow): boolean {
  return row.event.startsWith('{"type":"sidecanary.');
}

/** Control events come by the inbox, from a supervisor. */
function arrival(row: InboxRow): Job["what"] {
  const event = JSON.parse(row.event) as EventData;
  switch (event.type) {
    case "sidecanary.stop":
      return { kind: "stop" };
    case "sidecanary.suspend":
      return { kind: "suspend" };
    case "sidecanary.restart":
      return { kind: "restart", mode: event["mode"] === "initial" ? "initial" : "resume" };
    default:
      return { kind: "event", event };
  }
}
