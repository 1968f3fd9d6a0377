import * as assert from "uvu/assert";
import { assign, emit, type EventObject, fromPromise, setup } from "xstate";
import { effectOf } from "../../runtime/engine/run-port.ts";
import { openMemoryStore } from "../../runtime/store/memory/memory-store.ts";
import { suite } from "../harness.ts";
import { type Call, outboxOf, watcherMachine, workerMachine, world } from "./engine-kit.ts";

const test = suite("effects");

test("an invoke runs with its outbox id as key, and its answer is an event of its own", async () => {
  const calls: Call[] = [];
  const { engine, store } = await world();
  engine.register(workerMachine(calls));
  await engine.start("w", "worker");
  await engine.deliver("w", { type: "GO" }, { eventId: "go" });
  await engine.idle();
  assert.equal(calls.map(({ key, actor, epoch, input }) => ({ key, actor, epoch, input })), [
    { key: "w:2:0", actor: "w", epoch: 1, input: { ticks: 0 } },
  ]);
  calls[0]?.resolve({ ok: 1 });
  const view = await engine.waitFor("w", (each) => each.value === "done");
  assert.equal(view.context, { result: { ok: 1 }, ticks: 0 });
  const [row] = await store.journal("w", 3, 1);
  assert.is(row?.eventId, "w:2:0:done");
  assert.is(row?.cause, "w:2:0");
  assert.equal(await outboxOf(store, "w"), ["w:2:0 done"]);
  await engine.close();
});

test("a port that fails is an error as data", async () => {
  const calls: Call[] = [];
  const { engine, store } = await world();
  engine.register(workerMachine(calls));
  await engine.start("w", "worker");
  await engine.deliver("w", { type: "GO" }, { eventId: "go" });
  await engine.idle();
  calls[0]?.reject(new TypeError("no route"));
  const view = await engine.waitFor("w", (each) => each.status === "error");
  const { name, message } = view.error as { name: string; message: string };
  assert.equal([name, message], ["TypeError", "no route"]);
  assert.equal(await outboxOf(store, "w"), ["w:2:0 done"]);
  assert.equal(await store.timers("w", 10), []);
  await engine.close();
});

test("a port's answer that is no plain data is an error that says so", async () => {
  const calls: Call[] = [];
  const { engine } = await world();
  engine.register(workerMachine(calls));
  await engine.start("w", "worker");
  await engine.deliver("w", { type: "GO" }, { eventId: "go" });
  await engine.idle();
  calls[0]?.resolve(new Map());
  const view = await engine.waitFor("w", (each) => each.status === "error");
  assert.match(JSON.stringify(view.error), /an instance of Map/);
  await engine.close();
});

test("leaving the state aborts the port, and its late answer goes nowhere", async () => {
  const calls: Call[] = [];
  const { engine, store } = await world();
  engine.register(workerMachine(calls));
  await engine.start("w", "worker");
  await engine.deliver("w", { type: "GO" }, { eventId: "go" });
  await engine.idle();
  await engine.deliver("w", { type: "LEAVE" }, { eventId: "leave" });
  assert.ok(calls[0]?.signal.aborted);
  calls[0]?.resolve({ late: true });
  await engine.idle();
  const view = await engine.actor("w");
  assert.is(view?.value, "idle");
  assert.equal(await outboxOf(store, "w"), ["w:2:0 cancelled"]);
  await engine.close();
});

test("a callback port sends events back, and is cleaned up when the actor is stopped", async () => {
  const open = new Map<
    string,
    { readonly epoch: number; readonly send: (event: EventObject) => void }
  >();
  const { engine, store } = await world();
  engine.register(watcherMachine(open));
  await engine.start("w", "watcher");
  await engine.idle();
  const port = open.get("w:1:0");
  for (const n of [1, 2, 3]) port?.send({ type: "SEEN", n } as EventObject);
  await engine.idle();
  assert.equal((await engine.actor("w"))?.context, { seen: [1, 2, 3] });
  const ids = (await store.journal("w", 2, 10)).map((row) => row.eventId);
  assert.equal(ids, ["w:1:0:sent:0:1", "w:1:0:sent:1:1", "w:1:0:sent:2:1"]);
  await engine.stop("w");
  assert.is(open.size, 0);
  assert.equal(await outboxOf(store, "w"), ["w:1:0 cancelled"]);
  assert.is((await engine.actor("w"))?.status, "stopped");
  await engine.close();
});

test("effectOf() answers undefined outside of the engine", () => {
  assert.is(effectOf({}), undefined);
});

const busyMachine = (run: (name: string) => unknown) =>
  setup({
    types: { emitted: {} as { type: "SAID"; n: number } },
    actions: { note: (_, params: { name: string }) => run(params.name) as void },
  }).createMachine({
    id: "busy",
    options: { maxIterations: 100 },
    on: {
      GO: {
        actions: [
          { type: "note", params: { name: "first" } },
          emit({ type: "SAID", n: 1 }),
          { type: "note", params: { name: "second" } },
        ],
      },
    },
  });

test("actions and announcements of an actor run in order, each once", async () => {
  const seen: string[] = [];
  const { engine, store } = await world();
  engine.on({ type: "SAID" }, (said) => void seen.push(`${said.id} ${said.event.type}`));
  engine.on({ type: "OTHER" }, () => void seen.push("never"));
  engine.register(busyMachine(async (name) => {
    await Promise.resolve();
    seen.push(name);
  }));
  await engine.start("b", "busy");
  await engine.deliver("b", { type: "GO" }, { eventId: "go" });
  await engine.idle();
  assert.equal(seen, ["first", "b:2:1 SAID", "second"]);
  assert.equal(await outboxOf(store, "b"), ["b:2:0 done", "b:2:1 done", "b:2:2 done"]);
  await engine.close();
});

test("an action that fails is tried again later with the same key, then given up as a dead letter", async () => {
  let tries = 0;
  const { engine, store, clock, problems } = await world({
    maxEffectAttempts: 3,
    effectBackoff: (attempt) => attempt * 1_000,
  });
  engine.register(busyMachine((name) => {
    if (name === "first" && ++tries > 0) throw new Error(`try ${tries}`);
  }));
  await engine.start("b", "busy");
  await engine.deliver("b", { type: "GO" }, { eventId: "go" });
  await engine.idle();
  assert.is(tries, 1);
  await clock.advance(999);
  assert.is(tries, 1);
  await clock.advance(1);
  assert.is(tries, 2);
  await clock.advance(2_000);
  assert.is(tries, 3);
  await clock.advance(3_600_000);
  assert.is(tries, 3);
  const [letter] = await store.deadLetters("b", 10);
  assert.is(letter?.eventId, "b:2:0");
  assert.match(letter?.error ?? "", /try 3/);
  assert.equal(problems.map((problem) => problem.kind), ["effect-dead"]);
  assert.equal(await outboxOf(store, "b"), ["b:2:0 dead", "b:2:1 done", "b:2:2 done"]);
  await engine.close();
});

test("maxInvokes bounds what runs at once, and the rest follows", async () => {
  const calls: Call[] = [];
  const { engine } = await world({ maxInvokes: 2 });
  engine.register(workerMachine(calls));
  for (const id of ["a", "b", "c"]) {
    await engine.start(id, "worker");
    await engine.deliver(id, { type: "GO" }, { eventId: "go" });
  }
  await engine.idle();
  assert.equal(calls.map((call) => call.actor), ["a", "b"]);
  calls[0]?.resolve(1);
  await engine.waitFor("a", (view) => view.value === "done");
  await engine.idle();
  assert.equal(calls.map((call) => call.actor), ["a", "b", "c"]);
  await engine.close();
});

test("an event told to another actor is applied there, and one told to nobody is a dead letter", async () => {
  const { engine, store } = await world();
  const teller = setup({ actions: { tell: () => {} } }).createMachine({
    id: "teller",
    options: { maxIterations: 100 },
    on: {
      GO: {
        actions: [
          { type: "tell", params: { to: "w", event: { type: "TICK" } } } as never,
          { type: "tell", params: { to: "w", event: { type: "TICK" } } } as never,
          { type: "tell", params: { to: "nobody", event: { type: "TICK" } } } as never,
        ],
      },
    },
  });
  engine.register(teller);
  engine.register(workerMachine([]));
  await engine.start("w", "worker");
  await engine.start("t", "teller");
  await engine.deliver("t", { type: "GO" }, { eventId: "go" });
  const view = await engine.waitFor("w", (each) => each.revision === 3);
  assert.equal(view.context, { result: null, ticks: 2 });
  const rows = await store.journal("w", 2, 10);
  assert.equal(rows.map((row) => [row.eventId, row.cause]), [["t:2:t0", "t:2"], ["t:2:t1", "t:2"]]);
  const [letter] = await store.deadLetters("nobody", 10);
  assert.is(letter?.reason, "no-such-actor");
  assert.equal(await store.inbox("w", 10), []);
  await engine.close();
});

test("a timer fires at its time, once, and not after its state was left", async () => {
  const { engine, store, clock } = await world();
  engine.register(workerMachine([]));
  for (const id of ["stays", "leaves"]) {
    await engine.start(id, "worker");
    await engine.deliver(id, { type: "GO" }, { eventId: "go" });
  }
  await clock.advance(59_999);
  await engine.deliver("leaves", { type: "LEAVE" }, { eventId: "leave" });
  assert.is((await engine.actor("stays"))?.value, "working");
  await clock.advance(1);
  assert.is((await engine.actor("stays"))?.value, "late");
  await clock.advance(600_000);
  assert.is((await engine.actor("leaves"))?.value, "idle");
  assert.is((await engine.actor("stays"))?.revision, 3);
  assert.equal(await store.timers(null, 10), []);
  assert.equal(await store.deadLetters(null, 10), []);
  await engine.close();
});

test("a timer that is set while the next due time is asked for fires at its time", async () => {
  const inner = openMemoryStore();
  let asked = 0;
  let answer = () => {};
  const store = new Proxy(inner, {
    get(target, key) {
      const value: unknown = Reflect.get(target, key);
      if (typeof value !== "function") return value;
      // A store need not tell a process of its own commits.
      if (key === "watch") return () => () => {};
      if (key !== "nextDue") return value.bind(target);
      return async (...args: Parameters<typeof inner.nextDue>) => {
        const due = await inner.nextDue(...args);
        if (asked++ === 0) await new Promise<void>((resolve) => answer = resolve);
        return due;
      };
    },
  });
  const { engine, clock } = await world({ store, pollMs: 10_000_000 });
  engine.register(workerMachine([]));
  await clock.advance(0);
  assert.is(asked, 1);
  await engine.start("w", "worker");
  await engine.deliver("w", { type: "GO" }, { eventId: "go" });
  answer();
  await clock.advance(60_000);
  assert.is((await engine.actor("w"))?.value, "late");
  await engine.close();
});

test("a timer or an answer that makes the machine throw is a dead letter, and does not come back", async () => {
  const { engine, store, clock, problems } = await world();
  const poison = () => {
    throw new Error("poison");
  };
  engine.register(
    setup({ actors: { quick: fromPromise(() => Promise.resolve(1)) } }).createMachine({
      id: "poisoned",
      options: { maxIterations: 100 },
      context: {},
      initial: "waiting",
      states: {
        waiting: {
          after: { 1_000: { target: "asking", actions: assign(poison) } },
          on: { ASK: "asking" },
        },
        asking: { invoke: { src: "quick", onDone: { actions: assign(poison) } } },
      },
    }),
  );
  await engine.start("p", "poisoned");
  await clock.advance(3_600_000);
  assert.equal(await store.timers("p", 10), []);
  await engine.deliver("p", { type: "ASK" }, { eventId: "ask" });
  await clock.advance(3_600_000);
  const letters = await store.deadLetters("p", 10);
  assert.equal(letters.map((row) => row.reason), ["threw", "threw"]);
  assert.equal(problems.map((problem) => problem.kind), ["event-dead", "event-dead"]);
  const view = await engine.actor("p");
  assert.equal([view?.status, view?.value, view?.timers, view?.invokes], [
    "active",
    "asking",
    {},
    {},
  ]);
  assert.equal(await outboxOf(store, "p"), ["p:3:0 done"]);
  const rows = await store.journal("p", 1, 10);
  assert.equal(rows.map((row) => row.revision), [1, 2, 3, 4]);
  await engine.close();
});

test("the tags of the active states are in the view", async () => {
  const { engine } = await world();
  engine.register(workerMachine([]));
  await engine.start("w", "worker");
  assert.equal((await engine.actor("w"))?.tags, []);
  await engine.deliver("w", { type: "GO" }, { eventId: "go" });
  assert.equal((await engine.actor("w"))?.tags, ["busy"]);
  await engine.close();
});
