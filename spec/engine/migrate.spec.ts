import * as assert from "uvu/assert";
import { assign, setup } from "xstate";
import { isSidecanaryError } from "../../runtime/errors.ts";
import { applyChanges, type Change } from "../../runtime/engine/state-change.ts";
import type { Json } from "../../runtime/json.ts";
import { suite } from "../harness.ts";
import { world } from "./engine-kit.ts";

const test = suite("migrate");

const first = setup({ types: { context: {} as { n: number } } }).createMachine({
  id: "thing",
  options: { maxIterations: 100 },
  context: { n: 1 },
  initial: "a",
  states: { a: { on: { GO: "b" } }, b: { after: { 1_000: "c" } }, c: {} },
});

const second = setup({
  types: { context: {} as { n: number; added: string } },
}).createMachine({
  id: "thing",
  options: { maxIterations: 100 },
  context: { n: 1, added: "" },
  initial: "a",
  states: {
    a: { on: { GO: "b" } },
    b: {
      after: { 1_000: "c" },
      on: { ADD: { actions: assign({ added: ({ context }) => `${context.added}+` }) } },
    },
    c: {},
  },
});

async function changed() {
  const one = await world({ owner: "one" });
  const logic = one.engine.register(first);
  await one.engine.start("t", "thing");
  await one.engine.deliver("t", { type: "GO" }, { eventId: "go" });
  await one.engine.close();
  const two = await world({ owner: "two", store: one.store, clock: one.clock });
  return { ...two, hash: logic.hash };
}

test("an actor of another definition is not run: deliver() says machine-changed, a problem says so once", async () => {
  const { engine, clock, problems } = await changed();
  engine.register(second);
  await clock.advance(60_000);
  assert.is((await engine.actor("t"))?.value, "b");
  for (const eventId of ["1", "2"]) {
    try {
      await engine.deliver("t", { type: "ADD" }, { eventId });
      assert.unreachable();
    } catch (error) {
      assert.ok(isSidecanaryError(error, "machine-changed"));
    }
  }
  assert.equal(problems.map((problem) => [problem.kind, problem.actor]), [["quarantined", "t"]]);
  await engine.close();
});

test("with the old definition registered too, the actor goes on with its own", async () => {
  const { engine, clock, problems } = await changed();
  engine.register(second);
  engine.register(first);
  await clock.advance(1_000);
  assert.is((await engine.actor("t"))?.value, "c");
  assert.equal(problems, []);
  await engine.close();
});

test("with a migration the actor goes on, its timers too, and the journal shows what it changed", async () => {
  const { engine, store, clock, hash } = await changed();
  const from: string[] = [];
  engine.register(second, {
    migrate: (state, fromHash) => {
      from.push(fromHash);
      const context = { ...(state.snapshot.context as object), added: "new", kept: 1 } as Json;
      return { ...state, snapshot: { ...state.snapshot, context } };
    },
  });
  await engine.deliver("t", { type: "ADD" }, { eventId: "1" });
  assert.equal((await engine.actor("t"))?.context, { n: 1, added: "new+", kept: 1 });
  await clock.advance(1_000);
  assert.is((await engine.actor("t"))?.value, "c");
  assert.ok(from.every((each) => each === hash));
  let state: Json | undefined;
  for (const row of await store.journal("t", 1, 100)) {
    state = applyChanges(state, JSON.parse(row.change) as Change[]);
  }
  assert.equal(state, JSON.parse((await store.read("t"))?.state ?? ""));
  await engine.close();
});

test("a migration that throws is machine-changed with its cause", async () => {
  const { engine } = await changed();
  engine.register(second, {
    migrate: () => {
      throw new Error("cannot be migrated");
    },
  });
  try {
    await engine.deliver("t", { type: "ADD" }, { eventId: "1" });
    assert.unreachable();
  } catch (error) {
    assert.ok(isSidecanaryError(error, "machine-changed"));
    assert.match((error as { cause: Error }).cause.message, /cannot be migrated/);
  }
  await engine.close();
});
