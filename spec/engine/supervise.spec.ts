import * as assert from "uvu/assert";
import { fromPromise, setup } from "xstate";
import type { SupervisorStrategy } from "../../machines/supervisor/events.ts";
import type { Json } from "../../runtime/json.ts";
import { supervise, type SuperviseSpec } from "../../runtime/engine/supervise.ts";
import type { Store } from "../../runtime/store/store.ts";
import { suite } from "../harness.ts";
import { type Call, outboxOf, workerMachine, type World, world } from "./engine-kit.ts";

const test = suite("supervise");

/** A pool of workers that all work, and their calls. */
async function pool(
  spec: Partial<SuperviseSpec>,
  ids: readonly string[] = ["a", "b", "c"],
): Promise<World & { readonly calls: Call[] }> {
  const calls: Call[] = [];
  const opened = await world({ pollMs: 60_000 });
  opened.engine.register(workerMachine(calls));
  await supervise(opened.engine, {
    id: "sup",
    children: ids.map((id) => ({ id, machine: "worker" })),
    ...spec,
  });
  for (const id of ids) await opened.engine.deliver(id, { type: "GO" }, { eventId: "go" });
  await opened.engine.idle();
  return { ...opened, calls };
}

/** Lets the newest call of an actor fail, which its machine does not handle. */
async function crash(opened: World & { readonly calls: Call[] }, actor: string): Promise<void> {
  const call = opened.calls.filter((each) => each.actor === actor).at(-1);
  call?.reject(new Error(`${actor} is broken`));
  await opened.clock.advance(0);
  await opened.engine.idle();
}

async function epochs({ engine }: World, ids: readonly string[]): Promise<unknown[]> {
  const views = await Promise.all(ids.map((id) => engine.actor(id)));
  return views.map((view) => `${view?.id} ${view?.status} ${view?.epoch}`);
}

async function nothingLeft(store: Store, ids: readonly string[]): Promise<void> {
  for (const id of ids) {
    const open = (await outboxOf(store, id)).filter((row) => row.endsWith("open"));
    assert.equal(open, [], id);
    assert.equal(await store.timers(id, 10), [], id);
    assert.equal(await store.inbox(id, 10), [], id);
  }
}

const restarted: Readonly<Record<SupervisorStrategy, readonly string[]>> = {
  one_for_one: ["a active 1", "b active 2", "c active 1"],
  rest_for_one: ["a active 1", "b active 2", "c active 2"],
  one_for_all: ["a active 2", "b active 2", "c active 2"],
};

for (const [strategy, expected] of Object.entries(restarted)) {
  test(`${strategy} restarts ${expected.join(", ")} after a crash of b`, async () => {
    const opened = await pool({ strategy: strategy as SupervisorStrategy });
    await crash(opened, "b");
    assert.equal(await epochs(opened, ["a", "b", "c"]), expected);
    const live = opened.calls.filter((call) => !call.signal.aborted).map((call) => call.key).sort();
    assert.is(live.length, 4, "three, and the one that failed by itself");
    const views = await Promise.all(["a", "b", "c"].map((id) => opened.engine.actor(id)));
    assert.equal(views.map((view) => view?.value), ["working", "working", "working"]);
    await opened.engine.close();
  });
}

test("a crash is a dead letter of its event, a journal row of its own, and a word to the supervisor", async () => {
  const opened = await pool({});
  await crash(opened, "b");
  const rows = await opened.store.journal("b", 3, 10);
  assert.equal(rows.map((row) => [row.revision, row.eventId]), [
    [3, "b:2:0:error:crash"],
    [4, "sup:2:t0"],
  ]);
  assert.equal(rows.map((row) => (JSON.parse(row.event) as { type: string }).type), [
    "sidecanary.crash",
    "sidecanary.restart",
  ]);
  const [letter] = await opened.store.deadLetters("b", 10);
  assert.equal([letter?.eventId, letter?.reason], ["b:2:0:error", "crash"]);
  const [told] = await opened.store.journal("sup", 2, 1);
  const event = JSON.parse(told?.event ?? "") as { [key: string]: Json };
  assert.equal([event["type"], event["child"], event["at"]], [
    "CHILD_CRASHED",
    "b",
    opened.clock.now(),
  ]);
  await opened.engine.close();
});

test("mode initial begins anew, mode resume goes on with the last committed state", async () => {
  for (const mode of ["initial", "resume"] as const) {
    const opened = await pool({ children: [{ id: "a", machine: "worker", mode }] }, ["a"]);
    await opened.engine.deliver("a", { type: "TICK" }, { eventId: "tick" });
    await crash(opened, "a");
    const view = await opened.engine.actor("a");
    assert.equal(view?.context, { result: null, ticks: mode === "resume" ? 1 : 0 });
    assert.is(view?.value, mode === "resume" ? "working" : "idle");
    await opened.engine.close();
  }
});

test("intensity 1 in 5 s: a second crash at the last millisecond of the period escalates, one later does not", async () => {
  for (const [laterMs, status] of [[5_000, "stopped"], [5_001, "active"]] as const) {
    const opened = await pool({});
    await crash(opened, "a");
    await opened.clock.advance(laterMs);
    await crash(opened, "b");
    assert.is((await opened.engine.actor("b"))?.status, status, `${laterMs} ms`);
    assert.is((await opened.engine.actor("sup"))?.status, status === "active" ? "active" : "done");
    await opened.engine.close();
  }
});

test("escalation stops every child, aborts its ports and leaves no row open", async () => {
  const opened = await pool({ intensity: 0 });
  await crash(opened, "b");
  assert.equal(await epochs(opened, ["a", "b", "c"]), [
    "a stopped 1",
    "b stopped 1",
    "c stopped 1",
  ]);
  const view = await opened.engine.actor("sup");
  assert.is(view?.value, "escalated");
  assert.match(JSON.stringify(view?.output), /"end":"escalated","child":"b"/);
  await nothingLeft(opened.store, ["sup", "a", "b", "c"]);
  assert.ok(opened.calls.filter((call) => call.actor !== "b").every((call) => call.signal.aborted));
  // The stops were told in the reverse order of the start.
  const stops = (await opened.store.feed(0, 1_000)).filter((row) =>
    row.event === '{"type":"sidecanary.stop"}'
  );
  assert.equal(stops.map((row) => row.actor), ["c", "b", "a"]);
  await opened.engine.close();
});

test("restarts within the period never exceed the intensity", async () => {
  const opened = await pool({ intensity: 3, periodMs: 1_000 });
  let crashes = 0;
  while ((await opened.engine.actor("sup"))?.status === "active") {
    await crash(opened, "a");
    crashes++;
  }
  assert.is(crashes, 4);
  assert.is((await opened.engine.actor("a"))?.epoch, 4);
  await opened.engine.close();
});

test("backoff delays the restart by a durable timer, and siblings wait with it", async () => {
  const backoff = { baseMs: 1_000, factor: 2, capMs: 60_000, jitter: 0 };
  const opened = await pool({ strategy: "one_for_all", intensity: 5, backoff });
  await crash(opened, "b");
  assert.equal(await epochs(opened, ["a", "b", "c"]), [
    "a crashed 1",
    "b crashed 1",
    "c crashed 1",
  ]);
  assert.equal((await opened.store.timers("sup", 10)).map((row) => row.id), ["restart"]);
  await opened.clock.advance(999);
  assert.is((await opened.engine.actor("a"))?.status, "crashed");
  await opened.clock.advance(1);
  assert.equal(await epochs(opened, ["a", "b", "c"]), ["a active 2", "b active 2", "c active 2"]);
  await crash(opened, "c");
  await opened.clock.advance(1_999);
  assert.is((await opened.engine.actor("c"))?.status, "crashed");
  await opened.clock.advance(1);
  assert.is((await opened.engine.actor("c"))?.status, "active");
  await nothingLeft(opened.store, ["sup"]);
  await opened.engine.close();
});

test("a crashed actor's timers do not fire, and are armed again when it runs on", async () => {
  const backoff = { baseMs: 100_000, factor: 1, capMs: 100_000, jitter: 0 };
  const opened = await pool({ strategy: "rest_for_one", backoff });
  await crash(opened, "b");
  assert.equal((await opened.store.timers(null, 10)).map((row) => `${row.actor} ${row.id}`), [
    "a xstate.after.60000.worker.working",
    "sup restart",
  ]);
  await opened.clock.advance(99_999);
  assert.equal(await epochs(opened, ["b", "c"]), ["b crashed 1", "c crashed 1"]);
  await opened.clock.advance(1);
  const [b, c] = await Promise.all(["b", "c"].map((id) => opened.engine.actor(id)));
  assert.equal([b?.value, c?.value], ["late", "late"]);
  assert.equal((await opened.store.deadLetters(null, 10)).map((row) => row.reason), ["crash"]);
  await opened.engine.close();
});

test("siblings are suspended in the reverse order of their start, and run again in it", async () => {
  const opened = await pool({ strategy: "one_for_all" });
  await crash(opened, "b");
  const rows = await opened.store.feed(0, 1_000);
  const told = rows.filter((row) => row.cause?.startsWith("sup:")).map((row) =>
    `${row.actor} ${(JSON.parse(row.event) as { type: string }).type}`
  );
  assert.equal(told, [
    "c sidecanary.suspend",
    "a sidecanary.suspend",
    "a sidecanary.restart",
    "b sidecanary.restart",
    "c sidecanary.restart",
  ]);
  await opened.engine.close();
});

test("a restart that waits survives kill()", async () => {
  const backoff = { baseMs: 30_000, factor: 2, capMs: 60_000, jitter: 0 };
  const opened = await pool({ backoff });
  await crash(opened, "b");
  opened.engine.kill();
  const next = await world({ owner: "next", store: opened.store, clock: opened.clock });
  next.engine.register(workerMachine(opened.calls));
  await supervise(next.engine, {
    id: "sup",
    children: ["a", "b", "c"].map((id) => ({ id, machine: "worker" })),
    backoff,
  });
  await opened.clock.advance(29_999);
  assert.is((await next.engine.actor("b"))?.status, "crashed");
  await opened.clock.advance(1);
  assert.is((await next.engine.actor("b"))?.status, "active");
  await next.engine.close();
});

test("permanent children begin anew after a good end, transient ones stay ended", async () => {
  const opened = await pool({
    children: [
      { id: "a", machine: "worker", restart: "permanent" },
      { id: "b", machine: "worker", restart: "transient" },
    ],
  }, ["a", "b"]);
  for (const id of ["a", "b"]) await opened.engine.deliver(id, { type: "END" }, { eventId: "end" });
  await opened.engine.idle();
  assert.equal(await epochs(opened, ["a", "b"]), ["a active 2", "b done 1"]);
  assert.is((await opened.engine.actor("a"))?.value, "idle");
  await opened.engine.close();
});

test("a temporary child that crashed is stopped and not restarted", async () => {
  const opened = await pool({
    children: [{ id: "a", machine: "worker", restart: "temporary" }],
  }, ["a"]);
  await crash(opened, "a");
  assert.equal(await epochs(opened, ["a", "sup"]), ["a stopped 1", "sup active 1"]);
  await nothingLeft(opened.store, ["a", "sup"]);
  await opened.engine.close();
});

test("a supervisor below that gives up counts as a crash above, and begins anew with its children", async () => {
  const opened = await pool({
    intensity: 1,
    children: [
      { id: "inner", intensity: 0, children: [{ id: "a", machine: "worker" }] },
      { id: "b", machine: "worker" },
    ],
  }, ["a", "b"]);
  await crash(opened, "a");
  assert.equal(await epochs(opened, ["sup", "inner", "a", "b"]), [
    "sup active 1",
    "inner active 2",
    "a active 2",
    "b active 1",
  ]);
  assert.is((await opened.engine.actor("a"))?.value, "idle");
  await opened.engine.deliver("a", { type: "GO" }, { eventId: "go2" });
  await opened.engine.idle();
  await crash(opened, "a");
  assert.equal(await epochs(opened, ["sup", "inner", "a", "b"]), [
    "sup done 1",
    "inner done 2",
    "a stopped 2",
    "b stopped 1",
  ]);
  await nothingLeft(opened.store, ["sup", "inner", "a", "b"]);
  await opened.engine.close();
});

test("one_for_all above a supervisor stops and runs its children with it", async () => {
  const opened = await pool({
    strategy: "one_for_all",
    children: [
      { id: "inner", children: [{ id: "a", machine: "worker" }] },
      { id: "b", machine: "worker" },
    ],
  }, ["a", "b"]);
  await crash(opened, "b");
  const [sup, inner, a, b] = await epochs(opened, ["sup", "inner", "a", "b"]);
  assert.equal([sup, inner, b], ["sup active 1", "inner active 2", "b active 2"]);
  assert.is(a, "a active 2");
  assert.is((await opened.engine.actor("a"))?.value, "idle");
  await opened.engine.close();
});

test("an event for a crashed actor is a dead letter until it runs again", async () => {
  const backoff = { baseMs: 1_000, factor: 2, capMs: 60_000, jitter: 0 };
  const opened = await pool({ backoff });
  await crash(opened, "b");
  const early = await opened.engine.deliver("b", { type: "TICK" }, { eventId: "early" });
  assert.equal(early, { outcome: "dead-letter", reason: "crashed", error: null });
  await opened.clock.advance(1_000);
  const late = await opened.engine.deliver("b", { type: "TICK" }, { eventId: "late" });
  assert.is(late.outcome, "applied");
  await opened.engine.close();
});

const brittle = (canBegin: () => boolean) =>
  setup({ actors: { break: fromPromise(() => Promise.reject(new Error("broke"))) } }).createMachine(
    {
      id: "brittle",
      options: { maxIterations: 100 },
      context: () => {
        if (!canBegin()) throw new Error("cannot begin");
        return {};
      },
      initial: "fine",
      states: { fine: { on: { BREAK: "breaking" } }, breaking: { invoke: { src: "break" } } },
    },
  );

test("a child that cannot begin starts nothing: neither its supervisor nor its siblings", async () => {
  const { engine } = await world();
  engine.register(brittle(() => false));
  const spec = { id: "sup", children: [{ id: "a", machine: "brittle" }] };
  assert.is((await supervise(engine, spec)).outcome, "dead-letter");
  assert.is(await engine.actor("sup"), undefined);
  await engine.close();
});

test("a restart that fails is one more crash, until the supervisor gives up", async () => {
  const { engine, store } = await world({ pollMs: 60_000 });
  let tries = 0, begins = true;
  engine.register(brittle(() => {
    if (!begins) tries++;
    return begins;
  }));
  await supervise(engine, {
    id: "sup",
    intensity: 3,
    children: [{ id: "a", machine: "brittle", mode: "initial" }],
  });
  begins = false;
  await engine.deliver("a", { type: "BREAK" }, { eventId: "break" });
  const view = await engine.waitFor("sup", (each) => each.status === "done");
  assert.match(JSON.stringify(view.output), /cannot begin/);
  await engine.idle();
  assert.is(tries, 3);
  assert.is((await engine.actor("a"))?.status, "stopped");
  await nothingLeft(store, ["a", "sup"]);
  await engine.close();
});

test("supervise() again is a duplicate", async () => {
  const opened = await pool({});
  const again = await supervise(opened.engine, { id: "sup", children: [] });
  assert.is(again.outcome, "duplicate");
  await opened.engine.close();
});
