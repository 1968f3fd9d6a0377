import * as assert from "uvu/assert";
import { commitOf, committed, HASHES, tell, timer, transition } from "../builders.ts";
import { claimBy, type On } from "./on.ts";

export function dueTimes(on: On): void {
  on("nextDue() is undefined where nothing waits", async (store) => {
    await committed(store, commitOf([transition("a", 1)]));
    assert.is(await store.nextDue("o", HASHES, 10), undefined);
  });

  on("nextDue() is the earliest of effects and timers, and never before now", async (store) => {
    const more = { outbox: [{ due: 70 }, { due: 40 }], timersSet: [timer("a", "x", 30)] };
    await committed(store, commitOf([transition("a", 1, more)]));
    assert.is(await store.nextDue("o", HASHES, 10), 30);
    assert.is(await store.nextDue("o", HASHES, 35), 35);
    assert.is(await store.nextDue("o", ["h2"], 10), undefined);
    await committed(store, commitOf([transition("a", 2, { timersCleared: ["x"] })]));
    assert.is(await store.nextDue("o", HASHES, 10), 40);
  });

  on("nextDue() is now where an event waits", async (store) => {
    await committed(store, commitOf([transition("a", 1, { tells: [tell("a", "t")] })]));
    assert.is(await store.nextDue("o", HASHES, 20), 20);
  });

  on("nextDue() waits for the end of another's lease", async (store) => {
    const step = transition("a", 1, { timersSet: [timer("a", "x", 30)] });
    const far = transition("b", 1, { timersSet: [timer("b", "x", 40)] });
    await committed(store, commitOf([step], { lease: { owner: "o", until: 50 } }));
    assert.is(await store.nextDue("o", HASHES, 10), 30);
    assert.is(await store.nextDue("p", HASHES, 10), 50);
    await committed(store, commitOf([far]));
    assert.is(await store.nextDue("p", HASHES, 10), 40);
  });

  on("nextDue() tells when the effects of another holder could be adopted", async (store) => {
    const step = transition("a", 1, { outbox: [{}] });
    await committed(store, commitOf([step], { lease: { owner: "o", until: 50 } }));
    assert.is(await store.nextDue("o", HASHES, 10), undefined);
    assert.is(await store.nextDue("p", HASHES, 10), 50);
    assert.is(await store.nextDue("p", HASHES, 60), 60);
    await store.release("o", ["a"]);
    assert.is(await store.nextDue("p", HASHES, 10), 10);
  });

  on("nextDue() does not wait for effects of its own that run", async (store) => {
    await committed(store, commitOf([transition("a", 1, { outbox: [{}] })]));
    await store.claim(claimBy("o"));
    assert.is(await store.nextDue("o", HASHES, 500), undefined);
  });
}
