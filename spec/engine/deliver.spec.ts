import * as assert from "uvu/assert";
import { isSidecanaryError } from "../../runtime/errors.ts";
import type { Store } from "../../runtime/store/store.ts";
import { openMemoryStore } from "../../runtime/store/memory/memory-store.ts";
import { suite } from "../harness.ts";
import { counterMachine, world } from "./engine-kit.ts";

const test = suite("deliver");

test("start() is applied once, and a duplicate ever after", async () => {
  const { engine } = await world();
  engine.register(counterMachine);
  assert.equal(await engine.start("c", "counter", { input: { n: 3 } }), {
    outcome: "applied",
    revision: 1,
  });
  const again = await engine.start("c", "counter", { input: { n: 9 } });
  assert.equal(again, { outcome: "duplicate", earlier: { kind: "applied", revision: 1 } });
  assert.equal((await engine.actor("c"))?.context, { n: 3 });
  await engine.close();
});

test("deliver() applies an event id once, and names the revision of the first time", async () => {
  const { engine } = await world();
  engine.register(counterMachine);
  await engine.start("c", "counter");
  const add = { type: "ADD", by: 2 };
  assert.equal(await engine.deliver("c", add, { eventId: "a" }), {
    outcome: "applied",
    revision: 2,
  });
  assert.equal(await engine.deliver("c", add, { eventId: "a" }), {
    outcome: "duplicate",
    earlier: { kind: "applied", revision: 2 },
  });
  assert.equal((await engine.actor("c"))?.context, { n: 2 });
  await engine.close();
});

test("deliver() of many events at once applies each once, in the order of the calls", async () => {
  const { engine, store } = await world();
  engine.register(counterMachine);
  await engine.start("c", "counter");
  const ids = Array.from({ length: 50 }, (_, index) => `e${index % 25}`);
  await Promise.all(ids.map((eventId) => engine.deliver("c", { type: "ADD", by: 1 }, { eventId })));
  assert.equal((await engine.actor("c"))?.context, { n: 25 });
  const rows = await store.journal("c", 2, 100);
  assert.equal(rows.map((row) => row.eventId), ids.slice(0, 25));
  await engine.close();
});

test("deliver() by two engines that race loses nothing and applies nothing twice", async () => {
  const one = await world({ owner: "one" });
  const two = await world({ owner: "two", store: one.store, clock: one.clock });
  one.engine.register(counterMachine);
  two.engine.register(counterMachine);
  await one.engine.start("c", "counter");
  const sent: Promise<unknown>[] = [];
  for (let index = 0; index < 40; index++) {
    for (const { engine } of [one, two]) {
      sent.push(engine.deliver("c", { type: "ADD", by: 1 }, { eventId: `e${index}` }));
    }
  }
  const all = Promise.all(sent);
  let isOver = false;
  const over = all.then(() => void (isOver = true));
  while (!isOver) await one.clock.runNext();
  await over;
  assert.equal((await one.engine.actor("c"))?.context, { n: 40 });
  assert.is((await one.engine.actor("c"))?.revision, 41);
  await one.engine.close();
  await two.engine.close();
});

test("an event that makes the machine throw is a dead letter, and the actor goes on", async () => {
  const { engine, store } = await world();
  engine.register(counterMachine);
  await engine.start("c", "counter");
  const answer = await engine.deliver("c", { type: "FAIL" }, { eventId: "f" });
  assert.is(answer.outcome, "dead-letter");
  assert.match(JSON.stringify(answer), /told to fail/);
  assert.equal(await engine.deliver("c", { type: "FAIL" }, { eventId: "f" }), {
    outcome: "duplicate",
    earlier: { kind: "dead-letter", reason: "threw" },
  });
  const [letter] = await store.deadLetters("c", 10);
  assert.is(letter?.eventId, "f");
  assert.is(
    (await engine.deliver("c", { type: "ADD", by: 1 }, { eventId: "a" })).outcome,
    "applied",
  );
  await engine.close();
});

test("an actor that ended takes no event, and still knows those it applied", async () => {
  const { engine } = await world();
  engine.register(counterMachine);
  await engine.start("c", "counter");
  await engine.deliver("c", { type: "END" }, { eventId: "end" });
  assert.equal(await engine.deliver("c", { type: "END" }, { eventId: "end" }), {
    outcome: "duplicate",
    earlier: { kind: "applied", revision: 2 },
  });
  assert.equal(await engine.deliver("c", { type: "ADD", by: 1 }, { eventId: "late" }), {
    outcome: "dead-letter",
    reason: "ended",
    error: null,
  });
  const view = await engine.actor("c");
  assert.is(view?.status, "done");
  assert.equal(view?.output, { n: 0 });
  await engine.close();
});

test("deliver() refuses what is not an event of the outside", async () => {
  const { engine } = await world();
  engine.register(counterMachine);
  await engine.start("c", "counter");
  const refusals: [unknown, string][] = [
    [{ type: "xstate.done.actor.x" }, "event-refused"],
    [{ type: "sidecanary.stop" }, "event-refused"],
    [{ type: "" }, "event-refused"],
    [{ type: "ADD", by: () => 1 }, "not-json"],
    [{ type: "ADD", by: NaN }, "not-json"],
  ];
  for (const [event, code] of refusals) {
    const error = await failure(engine.deliver("c", event as never, { eventId: "x" }));
    assert.is((error as { code?: string }).code, code);
  }
  const nameless = await failure(engine.deliver("c", { type: "ADD" }, { eventId: "" }));
  assert.ok(isSidecanaryError(nameless, "event-refused"));
  assert.is((await engine.actor("c"))?.revision, 1);
  await engine.close();
});

test("deliver() to nobody, and start() of an unknown machine, say so", async () => {
  const { engine } = await world();
  const nobody = await failure(engine.deliver("x", { type: "ADD" }, { eventId: "1" }));
  assert.ok(isSidecanaryError(nobody, "actor-unknown"));
  const unknown = await failure(engine.start("x", "nothing"));
  assert.ok(isSidecanaryError(unknown, "machine-unknown"));
  await engine.close();
});

test("transact() writes several actors and the caller's rows, or nothing", async () => {
  const { engine, store } = await world();
  engine.register(counterMachine);
  const record = { collection: "stream", key: "s", value: "1", expected: 0 };
  const both = await engine.transact([
    { actor: "a", machine: "counter" },
    { actor: "b", machine: "counter", input: { n: 5 } },
  ], [record]);
  assert.equal(both, { outcome: "applied", revisions: [1, 1] });
  const add = (actor: string, eventId: string) => ({
    actor,
    eventId,
    event: { type: "ADD", by: 1 },
  });
  assert.equal(await engine.transact([add("a", "1"), add("b", "1")], [record]), {
    outcome: "record-conflict",
    collection: "stream",
    key: "s",
    version: 1,
  });
  await engine.deliver("b", { type: "ADD", by: 1 }, { eventId: "2" });
  assert.equal(await engine.transact([add("a", "2"), add("b", "2")]), {
    outcome: "duplicate",
    actor: "b",
    eventId: "2",
    earlier: { kind: "applied", revision: 2 },
  });
  await engine.deliver("b", { type: "END" }, { eventId: "end" });
  const refused = await engine.transact([add("a", "3"), add("b", "3")]);
  assert.is(refused.outcome, "dead-letter");
  assert.equal((await engine.actor("a"))?.context, { n: 0 });
  assert.equal(await store.deadLetters("b", 10), []);
  await engine.close();
});

test("a commit whose reply is lost is a duplicate when it is sent again", async () => {
  let losesReply = false;
  const { engine } = await world({
    faults: (point) => {
      if (point === "commit.after" && losesReply) throw new Error("the reply was lost");
    },
  });
  engine.register(counterMachine);
  await engine.start("c", "counter");
  losesReply = true;
  const add = { type: "ADD", by: 1 };
  assert.match(
    (await failure(engine.deliver("c", add, { eventId: "1" }))).message,
    /the reply was lost/,
  );
  losesReply = false;
  assert.is((await engine.deliver("c", add, { eventId: "1" })).outcome, "duplicate");
  assert.equal((await engine.actor("c"))?.context, { n: 1 });
  await engine.close();
});

test("deliver() gives up with store-busy when the actor never stands still", async () => {
  const store = openMemoryStore();
  const { engine, clock } = await world({ store: alwaysConflicting(store) });
  engine.register(counterMachine);
  const started = failure(engine.start("c", "counter"));
  let error: unknown;
  void started.then((failed) => void (error = failed));
  while (error === undefined) await clock.runNext();
  assert.ok(isSidecanaryError(error, "store-busy"));
  await engine.close();
});

test("a dead letter is decided on what the store says now, not on what was known", async () => {
  const one = await world({ owner: "one" });
  const two = await world({ owner: "two", store: one.store, clock: one.clock });
  one.engine.register(counterMachine);
  two.engine.register(counterMachine);
  await two.engine.start("c", "counter");
  await two.engine.deliver("c", { type: "END" }, { eventId: "end" });
  await one.engine.restart("c", "initial");
  const add = await two.engine.deliver("c", { type: "ADD", by: 1 }, { eventId: "a" });
  assert.equal(add, { outcome: "applied", revision: 4 });
  await one.engine.close();
  await two.engine.close();
});

test("subscribe() tells of every local transition, in order", async () => {
  const { engine } = await world();
  engine.register(counterMachine);
  const seen: string[] = [];
  const stop = engine.subscribe(({ actor, journal }) =>
    void seen.push(`${actor.id} ${actor.revision} ${journal.eventId}`)
  );
  await engine.start("c", "counter");
  await engine.deliver("c", { type: "ADD", by: 1 }, { eventId: "a" });
  stop();
  await engine.deliver("c", { type: "ADD", by: 1 }, { eventId: "b" });
  assert.equal(seen, ["c 1 init", "c 2 a"]);
  await engine.close();
});

async function failure(promise: Promise<unknown>): Promise<Error> {
  try {
    await promise;
  } catch (error) {
    return error as Error;
  }
  throw new Error("it did not fail");
}

function alwaysConflicting(store: Store): Store {
  return new Proxy(store, {
    get(target, key) {
      if (key === "commit") {
        return () => Promise.resolve({ outcome: "conflict", actor: "c", current: null });
      }
      const value: unknown = Reflect.get(target, key);
      return typeof value === "function" ? value.bind(target) : value;
    },
  });
}
