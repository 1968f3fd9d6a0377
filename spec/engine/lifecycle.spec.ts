import * as assert from "uvu/assert";
import type { EventObject } from "xstate";
import { isSidecanaryError } from "../../runtime/errors.ts";
import { suite } from "../harness.ts";
import {
  type Call,
  counterMachine,
  outboxOf,
  watcherMachine,
  workerMachine,
  world,
} from "./engine-kit.ts";

const test = suite("lifecycle");

test("after kill() another engine adopts the actor when the lease has run out, with the same key", async () => {
  const calls: Call[] = [];
  const one = await world({ owner: "one" });
  one.engine.register(workerMachine(calls));
  await one.engine.start("w", "worker");
  await one.engine.deliver("w", { type: "GO" }, { eventId: "go" });
  await one.engine.idle();
  one.engine.kill();
  const two = await world({ owner: "two", store: one.store, clock: one.clock });
  two.engine.register(workerMachine(calls));
  await one.clock.advance(9_999);
  assert.is(calls.length, 1);
  await one.clock.advance(1_000);
  assert.equal(calls.map(({ key, epoch }) => `${key} ${epoch}`), ["w:2:0 1", "w:2:0 2"]);
  calls[0]?.resolve("of the dead");
  calls[1]?.resolve("of the living");
  const view = await two.engine.waitFor("w", (each) => each.value === "done");
  assert.equal(view.context, { result: "of the living", ticks: 0 });
  await two.engine.close();
});

test("a timer survives kill() and fires in the next engine", async () => {
  const one = await world({ owner: "one" });
  one.engine.register(workerMachine([]));
  await one.engine.start("w", "worker");
  await one.engine.deliver("w", { type: "GO" }, { eventId: "go" });
  await one.clock.advance(30_000);
  one.engine.kill();
  const two = await world({ owner: "two", store: one.store, clock: one.clock });
  two.engine.register(workerMachine([]));
  await one.clock.advance(29_999);
  assert.is((await two.engine.actor("w"))?.value, "working");
  await one.clock.advance(1);
  assert.is((await two.engine.actor("w"))?.value, "late");
  await two.engine.close();
});

test("a timer that came due while nobody ran fires when the next engine opens", async () => {
  const one = await world({ owner: "one" });
  one.engine.register(workerMachine([]));
  await one.engine.start("w", "worker");
  await one.engine.deliver("w", { type: "GO" }, { eventId: "go" });
  await one.engine.close();
  await one.clock.advance(3_600_000);
  const two = await world({ owner: "two", store: one.store, clock: one.clock });
  two.engine.register(workerMachine([]));
  await two.engine.idle();
  assert.is((await two.engine.actor("w"))?.value, "late");
  await two.engine.close();
});

test("close() gives the lease back: another engine runs the invoke again at once", async () => {
  const calls: Call[] = [];
  const one = await world({ owner: "one" });
  one.engine.register(workerMachine(calls));
  await one.engine.start("w", "worker");
  await one.engine.deliver("w", { type: "GO" }, { eventId: "go" });
  await one.engine.idle();
  const two = await world({ owner: "two", store: one.store, clock: one.clock });
  two.engine.register(workerMachine(calls));
  await two.engine.idle();
  assert.is(calls.length, 1);
  await one.engine.close();
  assert.ok(calls[0]?.signal.aborted);
  await two.engine.idle();
  assert.equal(calls.map((call) => call.key), ["w:2:0", "w:2:0"]);
  assert.is((await two.engine.actor("w"))?.value, "working");
  await two.engine.close();
});

test("a lease is prolonged while its effects run", async () => {
  const calls: Call[] = [];
  const one = await world({ owner: "one" });
  one.engine.register(workerMachine(calls));
  await one.engine.start("w", "worker");
  await one.engine.deliver("w", { type: "GO" }, { eventId: "go" });
  const two = await world({ owner: "two", store: one.store, clock: one.clock });
  two.engine.register(workerMachine(calls));
  await one.clock.advance(50_000);
  assert.equal(calls.map((call) => call.epoch), [1]);
  await one.engine.close();
  await two.engine.close();
});

test("an owner that could not renew is fenced, stops its effects, and its answer is not applied", async () => {
  const calls: Call[] = [];
  let isCut = false;
  const one = await world({
    owner: "one",
    faults: (point) => {
      if (isCut && point === "renew.before") throw new Error("the store is out of reach");
    },
  });
  one.engine.register(workerMachine(calls));
  await one.engine.start("w", "worker");
  await one.engine.deliver("w", { type: "GO" }, { eventId: "go" });
  await one.engine.idle();
  isCut = true;
  const two = await world({ owner: "two", store: one.store, clock: one.clock });
  two.engine.register(workerMachine(calls));
  await one.clock.advance(12_000);
  assert.equal(calls.map((call) => call.epoch), [1, 2]);
  isCut = false;
  await one.clock.advance(4_000);
  assert.ok(calls[0]?.signal.aborted);
  calls[0]?.resolve("stale");
  await one.engine.idle();
  assert.is((await two.engine.actor("w"))?.value, "working");
  calls[1]?.resolve("fresh");
  const view = await two.engine.waitFor("w", (each) => each.value === "done");
  assert.equal(view.context, { result: "fresh", ticks: 0 });
  assert.ok(one.problems.some((problem) => problem.kind === "store"));
  await one.engine.close();
  await two.engine.close();
});

test("an answer from an epoch that is over is dropped even before the lease is known to be lost", async () => {
  const calls: Call[] = [];
  const one = await world({ owner: "one", leaseMs: 10_000 });
  one.engine.register(workerMachine(calls));
  await one.engine.start("w", "worker");
  await one.engine.deliver("w", { type: "GO" }, { eventId: "go" });
  await one.engine.idle();
  // Another owner by hand, while this one is "paused".
  const row = await one.store.read("w");
  await one.store.claim({
    owner: "thief",
    hashes: [row?.hash ?? ""],
    now: one.clock.now() + 20_000,
    until: one.clock.now() + 40_000,
    limit: 1,
  });
  calls[0]?.resolve("stale");
  await one.engine.idle();
  assert.is((await one.engine.actor("w"))?.value, "working");
  assert.equal(await one.store.deadLetters("w", 10), []);
  await one.engine.close();
});

test("restart() runs live invokes again as new rows of the next revision, under the next epoch", async () => {
  const calls: Call[] = [];
  const { engine, store } = await world();
  engine.register(workerMachine(calls));
  await engine.start("w", "worker");
  await engine.deliver("w", { type: "GO" }, { eventId: "go" });
  await engine.idle();
  assert.equal(await engine.restart("w", "resume", { eventId: "again" }), {
    outcome: "applied",
    revision: 3,
  });
  await engine.idle();
  assert.ok(calls[0]?.signal.aborted);
  assert.equal(calls.map(({ key, epoch }) => `${key} ${epoch}`), ["w:2:0 1", "w:3:0 2"]);
  assert.equal(await outboxOf(store, "w"), ["w:2:0 cancelled", "w:3:0 open"]);
  await engine.restart("w", "initial");
  await engine.idle();
  const view = await engine.actor("w");
  assert.equal([view?.value, view?.revision, view?.epoch], ["idle", 4, 3]);
  assert.equal(view?.timers, {});
  await engine.close();
});

test("restart() from the beginning takes the input it was started with", async () => {
  const { engine } = await world();
  engine.register(counterMachine);
  await engine.start("c", "counter", { input: { n: 7 } });
  await engine.deliver("c", { type: "ADD", by: 1 }, { eventId: "a" });
  await engine.restart("c", "initial");
  assert.equal((await engine.actor("c"))?.context, { n: 7 });
  await engine.close();
});

test("after close() and kill() every call is refused with engine-closed", async () => {
  for (const end of ["close", "kill"] as const) {
    const { engine, clock } = await world();
    engine.register(counterMachine);
    await engine.start("c", "counter");
    const waiting = outcome(engine.waitFor("c", () => false));
    await engine[end]();
    assert.is(await waiting, "engine-closed");
    assert.is(
      await outcome(engine.deliver("c", { type: "END" }, { eventId: "1" })),
      "engine-closed",
    );
    assert.is(await outcome(engine.start("d", "counter")), "engine-closed");
    assert.is(clock.next(), undefined);
  }
});

test("kill() during a commit never answers applied, and nothing more is written", async () => {
  const one = await world({
    faults: (point) => {
      if (point === "commit.before" && armed) one.engine.kill();
    },
  });
  let armed = false;
  one.engine.register(counterMachine);
  await one.engine.start("c", "counter");
  armed = true;
  const add = one.engine.deliver("c", { type: "ADD", by: 1 }, { eventId: "a" });
  assert.is(await outcome(add), "engine-closed");
  assert.is((await one.store.read("c"))?.revision, 1);
});

test("close() does not wait for a clock that stands still", async () => {
  let isCut = false;
  const { engine, clock, problems } = await world({
    faults: (point) => {
      if (isCut && (point === "commit.before" || point === "settle.before")) {
        throw new Error("the store is out of reach");
      }
    },
  });
  const calls: Call[] = [];
  engine.register(workerMachine(calls));
  await engine.start("w", "worker");
  await engine.deliver("w", { type: "GO" }, { eventId: "go" });
  await engine.idle();
  isCut = true;
  calls[0]?.resolve(1);
  await clock.advance(0);
  assert.equal(problems.map((problem) => problem.kind), ["store"]);
  await engine.close();
  assert.is(clock.next(), undefined);
});

test("an engine that does not work delivers, and leaves effects and timers to one that does", async () => {
  const calls: Call[] = [];
  const sender = await world({ owner: "sender", works: false });
  sender.engine.register(workerMachine(calls));
  await sender.engine.start("w", "worker");
  await sender.engine.deliver("w", { type: "GO" }, { eventId: "go" });
  await sender.clock.advance(120_000);
  assert.is((await sender.engine.actor("w"))?.value, "working");
  assert.is((await sender.store.read("w"))?.owner, null);
  assert.equal(calls, []);
  const worker = await world({ owner: "worker", store: sender.store, clock: sender.clock });
  worker.engine.register(workerMachine(calls));
  await worker.engine.idle();
  assert.is((await sender.engine.actor("w"))?.value, "late");
  await sender.engine.close();
  await worker.engine.close();
});

test("an invoke that another process made pointless is aborted within a third of the lease", async () => {
  const calls: Call[] = [];
  const worker = await world({ owner: "worker" });
  worker.engine.register(workerMachine(calls));
  await worker.engine.start("w", "worker");
  await worker.engine.deliver("w", { type: "GO" }, { eventId: "go" });
  await worker.engine.idle();
  const { store, clock } = worker;
  const sender = await world({ owner: "sender", works: false, store, clock });
  sender.engine.register(workerMachine(calls));
  await sender.engine.deliver("w", { type: "LEAVE" }, { eventId: "leave" });
  assert.not(calls[0]?.signal.aborted);
  await clock.advance(3_400);
  assert.ok(calls[0]?.signal.aborted);
  await sender.engine.close();
  await worker.engine.close();
});

test("an owner that lost its lease and got it back runs the invoke again in the new epoch", async () => {
  const calls: Call[] = [];
  const { engine, store, clock } = await world({ owner: "one" });
  const { hash } = engine.register(workerMachine(calls));
  await engine.start("w", "worker");
  await engine.deliver("w", { type: "GO" }, { eventId: "go" });
  await engine.idle();
  const now = clock.now() + 11_000;
  await store.claim({ owner: "thief", hashes: [hash], now, until: now, limit: 1 });
  await store.release("thief", ["w"]);
  await engine.idle();
  assert.equal(calls.map((call) => `${call.key} ${call.epoch}`), ["w:2:0 1", "w:2:0 3"]);
  assert.ok(calls[0]?.signal.aborted);
  calls[1]?.resolve("fresh");
  const view = await engine.waitFor("w", (each) => each.value === "done");
  assert.equal(view.context, { result: "fresh", ticks: 0 });
  await engine.close();
});

test("waitFor() sees commits of other engines, and times out with the actor's name", async () => {
  const one = await world({ owner: "one" });
  const two = await world({ owner: "two", store: one.store, clock: one.clock });
  one.engine.register(counterMachine);
  const seen = two.engine.waitFor("c", (view) => view.status === "done");
  await one.engine.start("c", "counter");
  await one.engine.deliver("c", { type: "END" }, { eventId: "end" });
  await one.clock.advance(500);
  assert.is((await seen).revision, 2);
  const late = outcome(two.engine.waitFor("nobody", () => true, { timeoutMs: 1_000 }));
  await one.clock.advance(1_000);
  assert.is(await late, "wait-timeout");
  const stop = new AbortController();
  const aborted = two.engine.waitFor("nobody", () => true, { signal: stop.signal });
  stop.abort(new RangeError("enough"));
  assert.is(await outcome(aborted), "enough");
  await one.engine.close();
  await two.engine.close();
});

test("prune() forgets after the retention, by itself every hour; an event id is forgotten with it", async () => {
  const { engine, store, clock } = await world({ retentionMs: 7_200_000 });
  engine.register(counterMachine);
  await engine.start("c", "counter");
  for (const eventId of ["a", "b", "c"]) {
    await engine.deliver("c", { type: "ADD", by: 1 }, { eventId });
  }
  await engine.start("old", "counter");
  await engine.deliver("old", { type: "END" }, { eventId: "end" });
  await clock.advance(7_200_000);
  assert.is(
    (await engine.deliver("c", { type: "ADD", by: 1 }, { eventId: "a" })).outcome,
    "duplicate",
  );
  await clock.advance(3_600_000);
  assert.equal((await store.journal("c", 1, 10)).map((row) => row.revision), [4]);
  assert.is(await engine.actor("old"), undefined);
  assert.is(
    (await engine.deliver("c", { type: "ADD", by: 1 }, { eventId: "a" })).outcome,
    "applied",
  );
  assert.equal((await engine.actor("c"))?.context, { n: 4 });
  await engine.close();
});

test("an engine with nothing to do holds no timer but its poll and its pruning", async () => {
  const { engine, clock } = await world({ pollMs: Infinity, retentionMs: Infinity });
  engine.register(counterMachine);
  await engine.start("c", "counter");
  await clock.advance(60_000);
  assert.is(clock.next(), undefined);
  await engine.close();
});

test("callback ports are cleaned up by close()", async () => {
  const open = new Map<
    string,
    { readonly epoch: number; readonly send: (event: EventObject) => void }
  >();
  const { engine, store } = await world();
  engine.register(watcherMachine(open));
  await engine.start("w", "watcher");
  await engine.idle();
  assert.is(open.size, 1);
  await engine.close();
  assert.is(open.size, 0);
  assert.equal(await outboxOf(store, "w"), ["w:1:0 open"]);
  assert.is((await store.read("w"))?.owner, null);
});

async function outcome(promise: Promise<unknown>): Promise<string> {
  try {
    await promise;
    return "resolved";
  } catch (error) {
    return isSidecanaryError(error) ? error.code : (error as Error).message;
  }
}
