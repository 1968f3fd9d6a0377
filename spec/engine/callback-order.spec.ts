import * as assert from "uvu/assert";
import { assign, fromCallback, setup } from "xstate";
import { openEngine, VirtualClock } from "../../runtime/engine/mod.ts";
import { SidecanaryError } from "../../runtime/errors.ts";
import { openMemoryStore } from "../../runtime/store/mod.ts";
import type { Store } from "../../runtime/store/store.ts";
import { suite } from "../harness.ts";

const test = suite("effects: order");

const machine = setup({
  types: { context: {} as { got: number[] }, events: {} as { type: "N"; n: number } },
  actors: {
    count: fromCallback(({ sendBack }) => {
      for (const n of [1, 2, 3]) sendBack({ type: "N", n });
    }),
  },
}).createMachine({
  id: "m",
  options: { maxIterations: 10 },
  context: { got: [] },
  invoke: { src: "count", id: "count" },
  on: { N: { actions: assign({ got: ({ context, event }) => [...context.got, event.n] }) } },
});

/** A store whose commit fails once, for the first event of a port. */
function failsOnce(inner: Store): Store {
  let failed = false;
  return new Proxy(inner, {
    get: (store, name) => {
      const value = Reflect.get(store, name) as unknown;
      if (typeof value !== "function") return value;
      if (name !== "commit") return value.bind(store) as unknown;
      return (commit: Parameters<Store["commit"]>[0]) => {
        const first = commit.transitions.some(({ journal }) => journal.event.includes('"n":1'));
        if (!first || failed) return store.commit(commit);
        failed = true;
        const details = { store: store.name };
        return Promise.reject(new SidecanaryError("store-failed", "once", details));
      };
    },
  });
}

test("what a callback port sends arrives in its order, also when one commit fails at first", async () => {
  const clock = new VirtualClock();
  const engine = await openEngine({
    store: failsOnce(openMemoryStore()),
    clock,
    random: () => 0.5,
    onProblem: () => {},
  });
  engine.register(machine);
  await engine.start("a", "m");
  await engine.idle();
  await clock.advance(10_000);
  await engine.idle();
  assert.equal((await engine.actor("a"))?.context, { got: [1, 2, 3] });
  await engine.close();
});
