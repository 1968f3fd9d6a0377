import * as assert from "uvu/assert";
import { assign, cancel, createMachine, fromCallback, fromPromise, raise, setup } from "xstate";
import type { AnyStateMachine } from "xstate";
import { effectOf, type Engine, openEngine, VirtualClock } from "../../runtime/engine/mod.ts";
import { isSidecanaryError } from "../../runtime/errors.ts";
import { openMemoryStore } from "../../runtime/store/memory/memory-store.ts";
import type { Store } from "../../runtime/store/store.ts";
import { suite } from "../harness.ts";

/** The traps of xstate 5.33 that were measured, by number: the engine has none of them. */
const test = suite("engine traps");

const options = { maxIterations: 50 };

/** Engines over one store that share a clock; `reopen` is a crash and a new process. */
class Host {
  readonly clock = new VirtualClock();
  readonly store: Store = openMemoryStore();
  engine!: Engine;
  #owner = 0;

  async open(...machines: AnyStateMachine[]): Promise<Host> {
    const { store, clock } = this;
    this.engine = await openEngine({ store, clock, random: () => 0.5, owner: `p${this.#owner++}` });
    for (const machine of machines) this.engine.register(machine);
    return this;
  }

  /** Crashes, and lets the dead owner's leases run out. */
  async reopen(...machines: AnyStateMachine[]): Promise<void> {
    this.engine.kill();
    await this.open(...machines);
    await this.clock.advance(11_000);
    await this.engine.idle();
  }

  async value(actor: string): Promise<unknown> {
    return (await this.engine.actor(actor))?.value;
  }
}

test("L1 a timer that was set before a crash fires after it, at its own time", async () => {
  const machine = createMachine({
    id: "m",
    options,
    initial: "green",
    states: {
      green: { after: { 60_000: "red" }, entry: raise({ type: "X" }, { id: "x", delay: 70_000 }) },
      red: { on: { X: "blue" } },
      blue: {},
    },
  });
  const host = await new Host().open(machine);
  await host.engine.start("a", "m");
  await host.reopen(machine);
  await host.clock.advance(60_000 - host.clock.now() - 1);
  await host.engine.idle();
  assert.is(await host.value("a"), "green");
  await host.clock.advance(1);
  await host.engine.idle();
  assert.is(await host.value("a"), "red");
  await host.clock.advance(10_000);
  await host.engine.idle();
  assert.is(await host.value("a"), "blue");
  await host.engine.close();
});

test("L2 an invoke runs again after a crash with the same key, and its first answer counts once", async () => {
  const keys: string[] = [];
  const machine = setup({
    actors: {
      charge: fromPromise<number>(({ self }) => {
        keys.push(effectOf(self)?.key ?? "none");
        return keys.length === 1 ? new Promise<number>(() => {}) : Promise.resolve(5);
      }),
    },
  }).createMachine({
    id: "m",
    options,
    context: { paid: 0 },
    initial: "paying",
    states: {
      paying: {
        invoke: {
          src: "charge",
          id: "charge",
          onDone: {
            target: "paid",
            actions: assign({ paid: ({ context, event }) => context.paid + event.output }),
          },
        },
      },
      paid: {},
    },
  });
  const host = await new Host().open(machine);
  await host.engine.start("a", "m");
  await host.engine.idle();
  await host.reopen(machine);
  assert.equal(keys, ["a:1:0", "a:1:0"]);
  assert.equal((await host.engine.actor("a"))?.context, { paid: 5 });
  await host.engine.close();
});

test("L3 what a caller holds of a snapshot is never changed by later steps", async () => {
  const machine = createMachine({
    id: "m",
    options,
    context: { deep: { list: [1] } },
    on: {
      PUSH: {
        actions: assign(({ context }) => {
          (context.deep.list as number[]).push(2);
          return context;
        }),
      },
    },
  });
  const host = await new Host().open(machine);
  await host.engine.start("a", "m");
  const before = await host.engine.actor("a");
  await host.engine.deliver("a", { type: "PUSH" }, { eventId: "1" });
  assert.equal(before?.context, { deep: { list: [1] } });
  assert.equal((await host.engine.actor("a"))?.context, { deep: { list: [1, 2] } });
  await host.engine.close();
});

test("L4 a forged or late xstate.done.actor event is refused or a dead letter", async () => {
  const answers: ((n: number) => void)[] = [];
  const machine = setup({
    actors: { job: fromPromise<number>(() => new Promise((resolve) => answers.push(resolve))) },
  }).createMachine({
    id: "m",
    options,
    context: { got: [] as number[] },
    initial: "busy",
    states: {
      busy: {
        on: { AGAIN: { target: "busy", reenter: true } },
        invoke: {
          src: "job",
          id: "job",
          onDone: {
            target: "rest",
            actions: assign({ got: ({ context, event }) => [...context.got, event.output] }),
          },
        },
      },
      rest: {},
    },
  });
  const host = await new Host().open(machine);
  await host.engine.start("a", "m");
  try {
    await host.engine.deliver(
      "a",
      { type: "xstate.done.actor.job", output: 666, actorId: "job" },
      { eventId: "forged" },
    );
    assert.unreachable();
  } catch (error) {
    if (!isSidecanaryError(error, "event-refused")) throw error;
  }
  await host.engine.idle();
  await host.engine.deliver("a", { type: "AGAIN" }, { eventId: "1" });
  await host.engine.idle();
  answers[0]?.(1);
  await host.engine.idle();
  assert.is(await host.value("a"), "busy");
  answers[1]?.(2);
  await host.engine.idle();
  assert.equal((await host.engine.actor("a"))?.context, { got: [2] });
  await host.engine.close();
});

test("L5 an actor's id is one actor: a second start changes nothing and starts nothing", async () => {
  let runs = 0;
  const machine = setup({
    actors: { job: fromPromise(() => (runs++, new Promise(() => {}))) },
  }).createMachine({ id: "m", options, invoke: { src: "job", id: "job" } });
  const host = await new Host().open(machine);
  assert.is((await host.engine.start("a", "m")).outcome, "applied");
  assert.is((await host.engine.start("a", "m")).outcome, "duplicate");
  await host.engine.idle();
  assert.is(runs, 1);
  await host.engine.stop("a");
  await host.engine.idle();
  assert.equal(await host.store.outbox(null, 10), []);
  await host.engine.close();
});

test("L6 an invoke that has answered is gone from the actor's state", async () => {
  const machine = setup({ actors: { job: fromPromise(() => Promise.resolve(1)) } }).createMachine({
    id: "m",
    options,
    initial: "a",
    states: { a: { invoke: { src: "job", id: "job", onDone: { actions: [] } } } },
  });
  const host = await new Host().open(machine);
  await host.engine.start("a", "m");
  await host.engine.idle();
  assert.equal((await host.engine.actor("a"))?.invokes, {});
  assert.equal((await host.store.outbox("a", 9)).map((row) => row.state), ["done"]);
  await host.engine.close();
});

test("L7 an action that throws leaves the actor and its invokes as they were, and is tried again", async () => {
  let tries = 0, disposed = 0;
  const machine = setup({
    actions: {
      flaky: () => {
        if (++tries < 3) throw new Error("not yet");
      },
    },
    actors: { watch: fromCallback(() => () => disposed++) },
  }).createMachine({
    id: "m",
    options,
    initial: "a",
    invoke: { src: "watch", id: "watch" },
    states: { a: { on: { GO: { target: "b", actions: "flaky" } } }, b: {} },
  });
  const host = await new Host().open(machine);
  await host.engine.start("a", "m");
  assert.is((await host.engine.deliver("a", { type: "GO" }, { eventId: "1" })).outcome, "applied");
  await host.engine.idle();
  await host.clock.advance(60_000);
  await host.engine.idle();
  assert.is(tries, 3);
  assert.is(disposed, 0);
  assert.is((await host.engine.actor("a"))?.status, "active");
  await host.engine.stop("a");
  await host.engine.idle();
  assert.is(disposed, 1);
  await host.engine.close();
});

test("L8 a stopped actor's callback ports are disposed of, and its promise ports aborted", async () => {
  const ended: string[] = [];
  const machine = setup({
    actors: {
      watch: fromCallback(() => () => ended.push("callback")),
      job: fromPromise(({ signal }) =>
        new Promise(() => signal.addEventListener("abort", () => ended.push("promise")))
      ),
    },
  }).createMachine({
    id: "m",
    options,
    invoke: [{ src: "watch", id: "watch" }, { src: "job", id: "job" }],
  });
  const host = await new Host().open(machine);
  await host.engine.start("a", "m");
  await host.engine.idle();
  await host.engine.stop("a");
  await host.engine.idle();
  assert.equal(ended.sort(), ["callback", "promise"]);
  await host.engine.close();
});

test("L9 VirtualClock fires a timer that another timer sets within the same advance", async () => {
  const clock = new VirtualClock();
  const at: number[] = [];
  clock.setTimeout(() => {
    at.push(clock.now());
    clock.setTimeout(() => at.push(clock.now()), 10);
  }, 10);
  await clock.advance(100);
  assert.equal(at, [10, 20]);
  assert.is(clock.now(), 100);
});

test("L10 a context factory runs once, with the actor's input", async () => {
  const inputs: unknown[] = [];
  const machine = createMachine({
    id: "m",
    options,
    context: ({ input }) => {
      inputs.push(input);
      return { n: (input as { n: number }).n };
    },
    on: { X: {} },
  });
  const host = await new Host().open(machine);
  await host.engine.start("a", "m", { input: { n: 3 } });
  await host.engine.deliver("a", { type: "X" }, { eventId: "1" });
  assert.equal(inputs, [{ n: 3 }]);
  await host.engine.close();
});

test("L11 two runs of one history write the same rows, byte for byte", async () => {
  const machine = setup({ actors: { job: fromPromise(() => Promise.resolve(1)) } }).createMachine({
    id: "m",
    options,
    initial: "a",
    states: {
      a: {
        entry: raise({ type: "T" }, { delay: 5 }),
        invoke: { src: "job", onDone: "b" },
      },
      b: { on: { T: "c" } },
      c: { type: "final" },
    },
  });
  const rows = [];
  for (let run = 0; run < 2; run++) {
    const host = await new Host().open(machine);
    await host.engine.start("a", "m");
    await host.engine.idle();
    await host.clock.advance(10);
    await host.engine.idle();
    rows.push(JSON.stringify([await host.store.feed(0, 99), await host.store.outbox("a", 99)]));
    await host.engine.close();
  }
  assert.is(rows[0], rows[1]);
  assert.is(JSON.parse(rows[0] ?? "[]")[0].length, 3);
});

test("L12 a tell to an actor that does not exist fails no step and is a dead letter", async () => {
  const machine = createMachine({
    id: "m",
    options,
    on: { GO: { actions: { type: "tell", params: { to: "nobody", event: { type: "HI" } } } } },
  });
  const host = await new Host().open(machine);
  await host.engine.start("a", "m");
  assert.is((await host.engine.deliver("a", { type: "GO" }, { eventId: "1" })).outcome, "applied");
  await host.engine.idle();
  const waiting = await host.store.inbox("nobody", 9);
  const letters = await host.store.deadLetters("nobody", 9);
  assert.is(waiting.length + letters.length, 1);
  await host.engine.close();
});

test("L13 deliver() to an actor that has ended answers a dead letter, every time", async () => {
  const machine = createMachine({
    id: "m",
    options,
    initial: "z",
    states: { z: { type: "final" } },
  });
  const host = await new Host().open(machine);
  await host.engine.start("a", "m");
  const first = await host.engine.deliver("a", { type: "X" }, { eventId: "1" });
  assert.is(first.outcome, "dead-letter");
  const again = await host.engine.deliver("a", { type: "X" }, { eventId: "1" });
  assert.is.not(again.outcome, "applied");
  assert.equal((await host.store.deadLetters("a", 9)).map((row) => row.reason), ["ended"]);
  await host.engine.close();
});

test("L14 a machine with an inline port is refused when it is registered", async () => {
  const machine = createMachine({
    id: "m",
    options,
    initial: "a",
    states: { a: { invoke: { src: fromPromise(() => Promise.resolve()) } } },
  });
  const host = await new Host().open();
  try {
    host.engine.register(machine);
    assert.unreachable();
  } catch (error) {
    if (!isSidecanaryError(error, "machine-refused")) throw error;
    assert.is(error.details.node, "m.a");
  }
  await host.engine.close();
});

test("L15 an actor of another definition is not run silently by this one", async () => {
  const first = createMachine({
    id: "m",
    options,
    initial: "a",
    states: { a: { on: { X: "b" } }, b: {} },
  });
  const second = createMachine({
    id: "m",
    options,
    initial: "a",
    states: { a: { on: { X: "c" } }, c: {} },
  });
  const host = await new Host().open(first);
  await host.engine.start("a", "m");
  await host.reopen(second);
  try {
    await host.engine.deliver("a", { type: "X" }, { eventId: "1" });
    assert.unreachable();
  } catch (error) {
    if (!isSidecanaryError(error, "machine-changed")) throw error;
    assert.is(error.details.actor, "a");
  }
  assert.is(await host.value("a"), "a");
  await host.engine.close();
});

test("cancel() of a timer that was set before a crash holds after it", async () => {
  const machine = createMachine({
    id: "m",
    options,
    initial: "a",
    states: {
      a: {
        entry: raise({ type: "T" }, { id: "t", delay: 30_000 }),
        on: { T: "late", STOP: { actions: cancel("t") } },
      },
      late: {},
    },
  });
  const host = await new Host().open(machine);
  await host.engine.start("a", "m");
  await host.reopen(machine);
  await host.engine.deliver("a", { type: "STOP" }, { eventId: "1" });
  await host.clock.advance(60_000);
  await host.engine.idle();
  assert.is(await host.value("a"), "a");
  await host.engine.close();
});
