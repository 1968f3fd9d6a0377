import type { PoolEvent, StatusCounts } from "../../machines/campaign/events.ts";
import { type Failure, isFailure, toFailure } from "../../machines/failure.ts";
import type { Verdict, VerdictStatus } from "../../machines/variant-run/verdict.ts";
import type { ActorView } from "../engine/actor-view.ts";
import { checkBaseline } from "./baseline.ts";
import { BREAKAGES, brokenPayload } from "./broken-payload.ts";
import { escapeId, type RunKey, runRowKey, variantRunId } from "./campaign-ids.ts";
import { resultOf, sidecarName } from "./campaign-report.ts";
import type { Fleet } from "./fleet.ts";
import type { UnmeasuredReason } from "./judge.ts";
import type { Worker } from "./lease-desk.ts";
import { knownRuns, type RunRow, unmeasured, verdictOf } from "./known-runs.ts";
import { collections, commandsOptions, report, type Session } from "./session.ts";
import type { OutputRow } from "./variant-run-ports.ts";

/** Why a campaign's pool ended before every variant was run. */
export interface StopRow {
  readonly reason: UnmeasuredReason;
  readonly message: string;
}

/** What the control came to. */
export interface ControlRow {
  readonly noticed: boolean;
  readonly command: string | null;
}

/** The verdict of a variant that counts. */
interface Scored {
  readonly key: RunKey;
  readonly verdict: Verdict;
}

/** How often a verdict is taken back before the variant is given up. */
const MAX_GENERATION = 3;
/** How many runs are started ahead of the workers, so that nobody waits for a start. */
const AHEAD = 2;
/** How many red baselines in a row a worker is forgiven. */
const MAX_REDS = 1;
/** How often the control is tried on another sidecar. */
const MAX_CONTROLS = 3;

/** Runs the variants of a campaign, takes back what cannot be trusted, and says what is known. */
export class Pool {
  readonly #session: Session;
  readonly #fleet: Fleet;
  readonly #send: (event: PoolEvent) => void;
  readonly #cancelled = new AbortController();
  readonly #runs = new Map<string, RunRow>();
  readonly #scored = new Map<string, Scored>();
  readonly #live = new Map<string, Promise<void>>();
  readonly #checks = new Map<Worker, Promise<void>>();
  /** Runs whose verdict is to be taken back when it comes, and why. */
  readonly #distrusted = new Map<string, string>();
  #queue: string[] = [];
  /** Runs that were started and have not asked for a lease yet. */
  readonly #starting = new Set<string>();
  #revoked = 0;
  #stop: StopRow | undefined;
  #wake: () => void = () => {};

  constructor(session: Session, fleet: Fleet, send: (event: PoolEvent) => void) {
    this.#session = session;
    this.#fleet = fleet;
    this.#send = (event) => {
      if (!this.#cancelled.signal.aborted) send(event);
    };
  }

  /** Resolves when every variant has a verdict that counts, or the pool was stopped. */
  async run(): Promise<void> {
    const { desk, request, metrics } = this.#session;
    const began = performance.now();
    await this.#load();
    this.#tally();
    if (request.baseline === "only") return this.#send({ type: "POOL_DONE" });
    report(this.#session, { type: "phase", phase: "running" });
    desk.onChange = () => this.#fill();
    desk.moreToCome = () => this.#queue.length > 0 || this.#starting.size > 0;
    const control = this.#control();
    desk.open();
    await this.#quiet();
    await control;
    metrics.phases.runningMs += performance.now() - began;
    const closing = performance.now();
    report(this.#session, { type: "phase", phase: "closing" });
    while (this.#doubted().length > 0 && !this.#isOver()) {
      for (const worker of this.#doubted()) this.check(worker);
      await this.#quiet();
    }
    metrics.phases.closingMs += performance.now() - closing;
    this.#send({ type: "POOL_DONE" });
  }

  /** Ends what runs for this pool. Variant runs are not told: who closes the campaign does that. */
  cancel(): void {
    this.#cancelled.abort(new Error("the pool was stopped"));
    this.#queue = [];
    this.#wake();
  }

  /** A variant run has asked for a lease. */
  asked(variant: string): void {
    if (this.#starting.delete(variant)) this.#session.desk.pump();
  }

  /** Runs the baseline again on a worker as soon as it is free; nothing else runs there before. */
  check(worker: Worker): void {
    if (this.#checks.has(worker)) return;
    worker.isDoubted = true;
    const check = this.#check(worker).catch((error) => this.failed(error)).finally(() => {
      this.#checks.delete(worker);
      this.#wake();
    });
    this.#checks.set(worker, check);
  }

  async #load(): Promise<void> {
    const { plan, records, campaign, engine } = this.#session;
    const queue: string[] = [];
    for (const run of await knownRuns({ plan, records, campaign, engine })) {
      const { key, row, verdict, isActive } = run;
      this.#runs.set(key.variant, row);
      if (verdict?.status === "skipped") {
        await this.#nextGeneration(key, null);
        queue.push(key.variant);
      } else if (verdict !== null) this.#scored.set(key.variant, { key, verdict });
      else if (isActive) this.#attach(key);
      else queue.push(key.variant);
    }
    this.#queue = await this.#longestFirst(queue);
  }

  async #longestFirst(queue: readonly string[]): Promise<string[]> {
    const before = await this.#session.records.read<Record<string, number>>(
      "campaigns",
      "durations",
    ) ?? {};
    const known = Object.values(before);
    const typical = known.reduce((sum, each) => sum + each, 0) / Math.max(1, known.length);
    return [...queue].sort((a, b) => (before[b] ?? typical) - (before[a] ?? typical));
  }

  #tally(): void {
    const counts = { killed: 0, survived: 0, timeout: 0, error: 0, skipped: 0 };
    for (const each of this.#session.plan.planned) if (each.kind === "error") counts.error++;
    for (const [variant, { verdict }] of this.#scored) {
      counts[verdict.status] += 1 + this.#twins(variant).length;
    }
    this.#send({ type: "TALLY", counts: counts satisfies StatusCounts, revoked: this.#revoked });
  }

  #fill(): void {
    const { desk } = this.#session;
    const limit = desk.usable.length + AHEAD;
    while (!this.#isOver() && this.#queue.length > 0) {
      if (desk.demand + this.#starting.size >= limit) break;
      const variant = this.#queue.shift();
      if (variant !== undefined) this.#start(variant);
    }
    this.#wake();
  }

  #start(variant: string): void {
    const { engine, campaign } = this.#session;
    const { generation } = this.#runs.get(variant) ?? { generation: 1 };
    const key = { variant, generation };
    this.#starting.add(variant);
    this.#attach(key, async () => {
      await engine.start(variantRunId(campaign, key), "variantRun", {
        input: { campaign, variant, generation },
      });
    });
  }

  #attach(key: RunKey, start: () => Promise<void> = () => Promise.resolve()): void {
    const { engine, campaign } = this.#session;
    const { signal } = this.#cancelled;
    const wait = async () => {
      await start();
      const id = variantRunId(campaign, key);
      const view = await engine.waitFor(id, ({ status }) => status !== "active", { signal });
      await this.#score(key, view);
    };
    const live = wait().catch((error) => {
      if (!signal.aborted) this.failed(error);
    }).finally(() => {
      this.#starting.delete(key.variant);
      this.#live.delete(key.variant);
      this.#fill();
    });
    this.#live.set(key.variant, live);
  }

  async #score(key: RunKey, view: ActorView): Promise<void> {
    const scored = { key, verdict: verdictOf(view) };
    await this.#announce(scored);
    const why = this.#distrusted.get(runRowKey(key));
    if (why !== undefined) await this.#takeBack(scored, why);
    const { failFast } = this.#session.request;
    if (failFast === null || this.#isOver()) return;
    const survivors = [...this.#scored.values()].filter(({ verdict }) =>
      verdict.status === "survived"
    );
    if (survivors.length >= failFast) {
      await this.#halt({
        reason: "fail-fast",
        message: `Stopped after ${survivors.length} survivors.`,
      });
    }
  }

  async #announce(scored: Scored): Promise<void> {
    const { key: { variant }, verdict } = scored;
    const { session, metrics } = { session: this.#session, metrics: this.#session.metrics };
    this.#scored.set(variant, scored);
    metrics.verdicts++;
    const output = await session.records.read<OutputRow>(
      collections.outputs(session.campaign),
      runRowKey(scored.key),
    );
    for (const id of [variant, ...this.#twins(variant)]) {
      this.#send({ type: "VERDICT", variant: id, status: verdict.status });
      const planned = session.plan.planned.find((each) => each.variant.id === id);
      if (planned === undefined) continue;
      const result = resultOf(planned, { verdict, output: output ?? null }, session.provider.kind);
      report(session, { type: "verdict", result, done: this.#done() });
    }
  }

  #done(): number {
    const { plan } = this.#session;
    const rejected = plan.planned.filter(({ kind }) => kind === "error").length;
    return [...this.#scored.keys()].reduce(
      (sum, variant) => sum + 1 + this.#twins(variant).length,
      rejected,
    );
  }

  /** The deliberately broken payload: if nobody notices, the tests look at something else. */
  async #control(): Promise<void> {
    const { session, signal } = { session: this.#session, signal: this.#cancelled.signal };
    const collection = collections.campaign(session.campaign);
    try {
      const known = await session.records.read<ControlRow>(collection, "control");
      if (known !== undefined) return;
      for (const breakage of BREAKAGES) {
        const outcome = await this.#runBroken(breakage);
        session.metrics.commandMs += outcome.durationMs;
        if (outcome.status === "survived") continue;
        const row: ControlRow = { noticed: true, command: outcome.command };
        return await session.records.write(collection, "control", row);
      }
      await session.records.write(collection, "control", { noticed: false, command: null });
      await this.#halt({
        reason: "void",
        message: "The commands pass although every file that the variants touch is broken: " +
          "they do not look at these files",
      });
    } catch (error) {
      if (signal.aborted) return;
      if (!isFailure(error)) return this.failed(error);
      await this.#halt({
        reason: "void",
        message: `The control could not be run: ${error.message}`,
      });
    }
  }

  async #runBroken(breakage: typeof BREAKAGES[number]) {
    const { session, signal } = { session: this.#session, signal: this.#cancelled.signal };
    const change = brokenPayload(session.plan, breakage);
    const commands = commandsOptions(session, { folder: `control-${breakage}`, signal });
    for (let attempt = 1;; attempt++) {
      const outcome = await this.#fleet.run(change, { commands });
      if (outcome.status !== "lost") return outcome;
      if (attempt < MAX_CONTROLS) continue;
      throw outcome.failure ?? noControl;
    }
  }

  #doubted(): readonly Worker[] {
    const { desk } = this.#session;
    return desk.usable.filter(({ health }) => health.doubtful.length > 0);
  }

  /** A red worker is made anew and has to be green before a variant runs on it, or it is retired. */
  async #check(worker: Worker): Promise<void> {
    const { session, signal } = { session: this.#session, signal: this.#cancelled.signal };
    for (;;) {
      const { isGreen, taken, why } = await this.#runCheck(worker, signal);
      if (isGreen) return;
      for (const key of taken) await this.#distrust(key, why);
      if (!worker.isRetired && worker.reds++ >= MAX_REDS) session.desk.retire(worker);
      if (worker.isRetired) return await this.#haltIfAlone(why);
      report(session, {
        type: "retry",
        what: sidecarName(session.provider.kind, worker.id),
        message: `It is made anew: ${why}`,
      });
      worker.isUp = false;
      worker.lose?.({ code: "environment-broken", message: why, class: "sidecar-lost" });
    }
  }

  async #runCheck(worker: Worker, signal: AbortSignal): Promise<CheckResult> {
    const { health } = worker;
    try {
      const outcome = await checkBaseline(this.#session, this.#fleet, worker, {
        signal,
        onDone: ({ status, durationMs }) => {
          this.#session.metrics.commandMs += durationMs;
          if (status !== "survived") return;
          health.green();
          worker.reds = 0;
          worker.isDoubted = false;
        },
      });
      if (outcome.status === "survived") return { isGreen: true, taken: [], why: "" };
      const detail = outcome.message ?? `${outcome.command} fails`;
      return { isGreen: false, taken: health.red(), why: `the baseline fails there: ${detail}` };
    } catch (error) {
      signal.throwIfAborted();
      if (!isFailure(error)) throw error;
      // It was lost before it could confirm what it had said.
      return { isGreen: false, taken: health.red(), why: `the sidecar was lost: ${error.message}` };
    }
  }

  async #haltIfAlone(why: string): Promise<void> {
    if (this.#session.desk.usable.length > 0 || this.#isOver()) return;
    await this.#halt({ reason: "void", message: `On every sidecar, ${why}` });
  }

  /** Takes a verdict back now, or as soon as it is there. */
  async #distrust(key: RunKey, why: string): Promise<void> {
    const scored = this.#scored.get(key.variant);
    if (scored?.key.generation === key.generation) return await this.#takeBack(scored, why);
    if (this.#runs.get(key.variant)?.generation === key.generation) {
      this.#distrusted.set(runRowKey(key), why);
    }
  }

  async #takeBack(scored: Scored, why: string): Promise<void> {
    const { key } = scored;
    const { status } = scored.verdict;
    if (status === "survived" || status === "skipped") return;
    const isLast = key.generation >= MAX_GENERATION;
    this.#scored.delete(key.variant);
    this.#revoked++;
    await this.#nextGeneration(key, isLast ? "environment-broken" : null);
    for (const variant of [key.variant, ...this.#twins(key.variant)]) {
      this.#send({ type: "REVOKED", variant, status: status satisfies VerdictStatus });
      report(this.#session, { type: "revoked", variant, reason: why });
    }
    if (isLast) {
      const next = { ...key, generation: key.generation + 1 };
      await this.#announce({ key: next, verdict: unmeasured("environment-broken") });
    } else this.#queue.push(key.variant);
  }

  async #nextGeneration(key: RunKey, givenUp: UnmeasuredReason | null): Promise<void> {
    const { records, campaign } = this.#session;
    const row: RunRow = { generation: key.generation + 1, givenUp };
    await records.write(collections.runs(campaign), escapeId(key.variant), row);
    this.#runs.set(key.variant, row);
  }

  /** Starts nothing more, and ends what runs. */
  async #halt(stop: StopRow): Promise<void> {
    if (this.#stop !== undefined) return;
    this.#stop = stop;
    this.#queue = [];
    const { engine, campaign, records } = this.#session;
    await records.write(collections.campaign(campaign), "stop", stop);
    await Promise.all([...this.#live.keys()].map(async (variant) => {
      const { generation } = this.#runs.get(variant) ?? { generation: 1 };
      const id = variantRunId(campaign, { variant, generation });
      await engine.waitFor(id, () => true, { signal: this.#cancelled.signal });
      const event = { type: "CANCEL", reason: stop.reason };
      await engine.deliver(id, event, { eventId: `halt:${engine.owner}` });
    }));
    this.#wake();
  }

  #isOver(): boolean {
    return this.#stop !== undefined || this.#cancelled.signal.aborted;
  }

  /** Resolves when nothing runs and nothing waits. */
  async #quiet(): Promise<void> {
    for (;;) {
      this.#cancelled.signal.throwIfAborted();
      const waits = this.#isOver() ? 0 : this.#queue.length;
      if (waits + this.#live.size + this.#checks.size === 0) return;
      await new Promise<void>((resolve) => this.#wake = resolve);
    }
  }

  #twins(variant: string): readonly string[] {
    return this.#session.plan.twins.get(variant) ?? [];
  }

  /** Ends the campaign for something that the pool cannot go on after. */
  failed(error: unknown): void {
    if (!isFailure(error)) this.#session.fail(error);
    this.#send({ type: "POOL_FAILED", failure: toFailure(error) });
  }
}

interface CheckResult {
  readonly isGreen: boolean;
  /** The verdicts to take back. */
  readonly taken: readonly RunKey[];
  readonly why: string;
}

const noControl: Failure = {
  code: "sidecar-lost",
  message: "every sandbox was lost",
  class: "sidecar-lost",
};
