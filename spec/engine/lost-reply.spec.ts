import * as assert from "uvu/assert";
import { fromPromise, setup } from "xstate";
import { openEngine, VirtualClock } from "../../runtime/engine/mod.ts";
import { SidecanaryError } from "../../runtime/errors.ts";
import { openMemoryStore } from "../../runtime/store/mod.ts";
import type { Store } from "../../runtime/store/store.ts";
import { suite } from "../harness.ts";

const test = suite("effects: lost replies");

/** A store that does what it is asked once and then says that it failed. */
function losesReply(inner: Store, method: "commit" | "claim", when: (answer: unknown) => boolean) {
  let lost = false;
  return new Proxy(inner, {
    get: (store, name) => {
      const value = Reflect.get(store, name) as unknown;
      if (typeof value !== "function") return value;
      const call = value.bind(store) as (...args: unknown[]) => Promise<unknown>;
      if (name !== method) return call;
      return async (...args: unknown[]) => {
        const answer = await call(...args);
        if (lost || !when(answer)) return answer;
        lost = true;
        throw new SidecanaryError("store-failed", "the reply was lost", { store: store.name });
      };
    },
  });
}

for (const method of ["commit", "claim"] as const) {
  test(`an effect runs where the reply to the ${method} that handed it out was lost`, async () => {
    let runs = 0;
    const machine = setup({
      actors: { job: fromPromise(() => Promise.resolve(runs++)) },
    }).createMachine({
      id: "m",
      options: { maxIterations: 10 },
      initial: "a",
      states: { a: { invoke: { src: "job", id: "job", onDone: "b" } }, b: { type: "final" } },
    });
    const clock = new VirtualClock();
    const inner = openMemoryStore();
    const store = losesReply(
      inner,
      method,
      (answer) => method === "commit" || (answer as readonly unknown[]).length > 0,
    );
    const sender = await openEngine({ store: inner, clock, works: false, owner: "sender" });
    const engine = await openEngine({
      store,
      clock,
      owner: "worker",
      random: () => 0.5,
      onProblem: () => {},
    });
    for (const each of [sender, engine]) each.register(machine);
    if (method === "claim") await sender.start("a", "m");
    else await engine.start("a", "m").catch(() => engine.start("a", "m"));
    await engine.idle();
    await clock.advance(60_000);
    await engine.idle();
    assert.is((await engine.actor("a"))?.status, "done");
    assert.is(runs, 1);
    for (const each of [sender, engine]) await each.close();
  });
}
