import { join } from "node:path";
import fc from "fast-check";
import * as assert from "uvu/assert";
import { type Engine, openEngine } from "../../runtime/engine/engine.ts";
import { VirtualClock } from "../../runtime/engine/virtual-clock.ts";
import { openMemoryStore } from "../../runtime/store/memory/memory-store.ts";
import { openSqliteStore } from "../../runtime/store/sqlite/sqlite-store.ts";
import type { Store } from "../../runtime/store/store.ts";
import { suite } from "../harness.ts";
import { BareRun, type Observed, type Stimulus } from "../kit/bare-run.ts";
import { check } from "../kit/check.ts";
import { Deferreds } from "../kit/deferreds.ts";
import {
  buildMachine,
  eventTypes,
  type MachinePlan,
  machinePlan,
} from "../kit/machine-arbitrary.ts";
import { tempDir } from "../kit/temp-dir.ts";

const test = suite("differential");

const stimuli: fc.Arbitrary<Stimulus[]> = fc.array(
  fc.oneof(
    {
      weight: 3,
      arbitrary: fc.record({
        do: fc.constant("send" as const),
        type: fc.constantFrom(...eventTypes),
      }),
    },
    {
      weight: 2,
      arbitrary: fc.record({
        do: fc.constant("advance" as const),
        ms: fc.integer({ min: 1, max: 40 }),
      }),
    },
    {
      weight: 2,
      arbitrary: fc.record({
        do: fc.constant("answer" as const),
        pick: fc.nat({ max: 5 }),
        ok: fc.boolean(),
      }),
    },
    { weight: 2, arbitrary: fc.record({ do: fc.constant("crash" as const) }) },
  ),
  { maxLength: 10 },
);

const startMs = 1_000_000;
const maxTimers = 8;

/** Runs a plan by the engine: one actor, over as many engines as there are crashes. */
class DurableRun {
  readonly #plan: MachinePlan;
  readonly #store: Store;
  readonly #actor: string;
  readonly #clock = new VirtualClock(startMs);
  /** By outbox id, in the order in which they were first made. */
  readonly #said = new Map<string, unknown>();
  #ports = new Deferreds();
  #engine: Engine | undefined;
  #lives = 0;
  #events = 0;
  /** Two timers are due at one time, or there are more of them every time that one fires. */
  isOdd = false;
  readonly problems: string[] = [];

  constructor(plan: MachinePlan, store: Store, actor: string) {
    this.#plan = plan;
    this.#store = store;
    this.#actor = actor;
  }

  async start(): Promise<void> {
    const engine = await this.#open();
    await engine.start(this.#actor, this.#actor);
    await engine.idle();
  }

  async apply(stimulus: Stimulus): Promise<void> {
    switch (stimulus.do) {
      case "send": {
        const event = { type: stimulus.type };
        await this.#running.deliver(this.#actor, event, { eventId: `e${this.#events++}` });
        break;
      }
      case "answer":
        this.#ports.answer(await this.#live(), stimulus.pick, stimulus.ok);
        break;
      case "advance":
        await this.#advance(this.#clock.now() + stimulus.ms);
        break;
      case "crash":
        this.#engine?.kill();
        await this.#open();
        break;
    }
    await this.#rest();
  }

  async observe(): Promise<Observed> {
    const row = await this.#store.read(this.#actor);
    const view = await this.#running.actor(this.#actor);
    if (view === undefined || row === undefined) throw new RangeError("there is no actor");
    const { snapshot } = JSON.parse(row.state) as { snapshot: { output?: unknown } };
    return {
      status: view.status,
      value: view.value,
      context: view.context,
      output: snapshot.output,
      said: [...this.#said.values()],
      invokes: await this.#live(),
    };
  }

  kill(): void {
    this.#engine?.kill();
  }

  get #running(): Engine {
    if (this.#engine === undefined) throw new RangeError("no engine runs");
    return this.#engine;
  }

  /** The next process: it was given the lease by hand, as if the time had passed. */
  async #open(): Promise<Engine> {
    if (this.#lives > 0) await this.#store.release(`life-${this.#lives}`, [this.#actor]);
    const ports = this.#ports = new Deferreds();
    const engine = this.#engine = await openEngine({
      store: this.#store,
      clock: this.#clock,
      random: () => 0.5,
      owner: `life-${++this.#lives}`,
      pollMs: Infinity,
      retentionMs: Infinity,
      onProblem: ({ message }) => void this.problems.push(message),
    });
    engine.on({}, ({ id, event }) => {
      if (!this.#said.has(id)) this.#said.set(id, event);
    });
    // The name keeps the machines of one store apart.
    engine.register(buildMachine(this.#plan, (id) => ports.open(id)), { name: this.#actor });
    return engine;
  }

  /** From timer to timer, so that none of them waits for what another leads to. */
  async #advance(end: number): Promise<void> {
    for (let rounds = 0;; rounds++) {
      if (rounds > 200) throw new Error("timers that are due do not fire");
      const dues = (await this.#store.timers(this.#actor, 20)).map((timer) => timer.due);
      const [first = Infinity, second] = dues;
      if (first > end) break;
      this.isOdd ||= first === second || dues.length > maxTimers;
      if (this.isOdd) return;
      await this.#clock.advance(first - this.#clock.now());
      await this.#rest();
    }
    await this.#clock.advance(end - this.#clock.now());
  }

  async #live(): Promise<string[]> {
    const view = await this.#running.actor(this.#actor);
    return Object.keys(view?.invokes ?? {}).sort();
  }

  /** An answer is on its way through promises before the engine knows of it. */
  async #rest(): Promise<void> {
    await this.#clock.advance(0);
    await this.#running.idle();
  }
}

async function agree(
  plan: MachinePlan,
  sequence: readonly Stimulus[],
  store: Store,
  actor: string,
): Promise<void> {
  const bare = new BareRun(plan);
  fc.pre(!bare.looped);
  const durable = new DurableRun(plan, store, actor);
  try {
    await durable.start();
    for (const stimulus of [{ do: "advance", ms: 0 } as const, ...sequence]) {
      await durable.apply(stimulus);
      fc.pre(!durable.isOdd);
      await bare.apply(stimulus);
      fc.pre(!bare.looped);
      assert.equal(durable.problems, []);
      const [ours, theirs] = [await durable.observe(), bare.observe()].map((o) =>
        JSON.stringify(o)
      );
      if (ours !== theirs) {
        throw new Error(`after ${JSON.stringify(stimulus)}\nengine: ${ours}\nbare:   ${theirs}`);
      }
    }
  } finally {
    durable.kill();
  }
}

test("an engine that crashes agrees with a bare actor that does not", async () => {
  await check(
    fc.asyncProperty(machinePlan, stimuli, async (plan, sequence) => {
      const store = openMemoryStore();
      await agree(plan, sequence, store, "a");
    }),
    { numRuns: 300 },
  );
}, { timeoutMs: 60_000 });

test("an engine on SQLite that crashes agrees with a bare actor that does not", async () => {
  const store = await openSqliteStore({ path: join(await tempDir(), "store.db") });
  let actors = 0;
  try {
    await check(
      fc.asyncProperty(machinePlan, stimuli, async (plan, sequence) => {
        await agree(plan, sequence, store, `a${actors++}`);
      }),
      { numRuns: 40 },
    );
    assert.ok(actors >= 40);
  } finally {
    await store.close();
  }
}, { timeoutMs: 60_000 });
