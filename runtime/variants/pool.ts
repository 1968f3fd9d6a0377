import type { PoolEvent, StatusCounts } from "../../machines/campaign/events.ts";
import { isFailure, toFailure } from "../../machines/failure.ts";
import type { Verdict, VerdictStatus } from "../../machines/variant-run/verdict.ts";
import type { ActorView } from "../engine/actor-view.ts";
import { escapeId, type RunKey, runRowKey, variantRunId } from "./campaign-ids.ts";
import { resultOf } from "./campaign-report.ts";
import { Controls } from "./controls.ts";
import type { Fleet } from "./fleet.ts";
import type { UnmeasuredReason } from "./judge.ts";
import type { Worker } from "./lease-desk.ts";
import {
  isToBeRepeated,
  type KnownRun,
  knownRuns,
  type RunRow,
  unmeasured,
  verdictOf,
} from "./known-runs.ts";
import { collections, report, type Session } from "./session.ts";
import { type SuspectTail, suspectTails } from "./suspect-tails.ts";
import type { OutputRow } from "./variant-run-ports.ts";

/** Why a campaign's pool ended before every variant was run. */
export interface StopRow {
  readonly reason: UnmeasuredReason;
  readonly message: string;
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

/** Runs the variants of a campaign, takes back what cannot be trusted, and says what is known. */
export class Pool {
  readonly #session: Session;
  readonly #send: (event: PoolEvent) => void;
  readonly #cancelled = new AbortController();
  readonly #runs = new Map<string, RunRow>();
  readonly #scored = new Map<string, Scored>();
  readonly #live = new Map<string, Promise<void>>();
  readonly #controls: Controls;
  /** Runs whose verdict is to be taken back when it comes, and why. */
  readonly #distrusted = new Map<string, string>();
  /** Runs that show whether verdicts of an earlier process can be believed. */
  readonly #probes = new Map<string, Pick<SuspectTail, "signature" | "rest">>();
  #queue: string[] = [];
  /** Runs that were started and have not asked for a lease yet. */
  readonly #starting = new Set<string>();
  #revoked = 0;
  #stop: StopRow | undefined;
  #wake: () => void = () => {};

  constructor(session: Session, fleet: Fleet, send: (event: PoolEvent) => void) {
    this.#session = session;
    this.#send = (event) => {
      if (!this.#cancelled.signal.aborted) send(event);
    };
    this.#controls = new Controls(session, fleet, {
      signal: this.#cancelled.signal,
      distrust: (key, why) => this.#distrust(key, why),
      halt: (message) => this.#halt({ reason: "void", message }),
      failed: (error) => this.failed(error),
      // It may have taken verdicts back after its worker was given back: nobody else starts them.
      onSettled: () => this.#fill(),
    });
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
    this.#controls.begin();
    // Hosts that came up while the others ran the baseline.
    if (request.hosts !== null) {
      for (const worker of desk.usable) {
        if (worker.isUp && !worker.isProven) this.#controls.check(worker);
      }
    }
    desk.open();
    await this.#quiet();
    metrics.phases.runningMs += performance.now() - began;
    const closing = performance.now();
    const { commandMs, verdicts } = metrics;
    report(this.#session, { type: "phase", phase: "closing" });
    while (!this.#isOver() && await this.#controls.checkDoubted()) {
      this.#fill();
      await this.#quiet();
    }
    // What ran meanwhile is no part of the running phase.
    Object.assign(metrics, { commandMs, verdicts });
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

  /** The last verdicts of a worker look alike: they are not believed before its baseline is green. */
  doubt(worker: Worker): void {
    this.#controls.check(worker);
  }

  async #load(): Promise<void> {
    const { plan, records, campaign, engine } = this.#session;
    const queue: string[] = [];
    const known = await knownRuns({ plan, records, campaign, engine });
    for (const run of known) {
      const { key, row, verdict, isActive } = run;
      this.#runs.set(key.variant, row);
      if (verdict !== null && isToBeRepeated(verdict)) {
        await this.#nextGeneration(key, null);
        queue.push(key.variant);
      } else if (verdict !== null) this.#scored.set(key.variant, { key, verdict });
      else if (isActive) this.#attach(key);
      else queue.push(key.variant);
    }
    const probes = await this.#suspect(known);
    this.#queue = [...probes, ...await this.#longestFirst(queue)];
  }

  /**
   * A process that was killed could not run its closing controls. Where its last verdicts on a sidecar
   * look alike, the last one is found again: the others stand if it comes out the same.
   */
  async #suspect(known: readonly KnownRun[]): Promise<string[]> {
    const probes: string[] = [];
    for (const { last, rest, signature } of await suspectTails(this.#session, known)) {
      const { status } = this.#scored.get(last.variant)?.verdict ?? {};
      if (status === undefined || last.generation >= MAX_GENERATION) continue;
      this.#scored.delete(last.variant);
      this.#revoked++;
      const next = await this.#nextGeneration(last, null);
      this.#probes.set(runRowKey(next), { signature, rest });
      probes.push(last.variant);
      const reason = "its process was killed before the environment could be checked";
      report(this.#session, { type: "revoked", variant: last.variant, reason });
    }
    return probes;
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
    await this.#compareProbe(key);
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

  async #compareProbe(key: RunKey): Promise<void> {
    const probe = this.#probes.get(runRowKey(key));
    if (probe === undefined) return;
    const { records, campaign } = this.#session;
    const output = await records.read<OutputRow>(collections.outputs(campaign), runRowKey(key));
    if (output?.signature === probe.signature) return;
    const why = `"${key.variant}" came out otherwise when it was run again`;
    for (const each of probe.rest) await this.#distrust(each, why);
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

  async #nextGeneration(key: RunKey, givenUp: UnmeasuredReason | null): Promise<RunKey> {
    const { records, campaign } = this.#session;
    const row: RunRow = { generation: key.generation + 1, givenUp };
    await records.write(collections.runs(campaign), escapeId(key.variant), row);
    this.#runs.set(key.variant, row);
    return { variant: key.variant, generation: row.generation };
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
      if (waits + this.#live.size + this.#controls.pending === 0) return;
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
