import * as assert from "uvu/assert";
import { commitOf, committed, letter, tell, timer, transition } from "../builders.ts";
import { type On } from "./on.ts";

export function pruning(on: On): void {
  on("prune() removes old journal rows and keeps the rest contiguous from base", async (store) => {
    const steps = [1, 2, 3, 4].map((revision) =>
      transition("a", revision, { journal: { at: revision * 10 } })
    );
    await committed(store, commitOf(steps));
    assert.equal(await store.prune(30), { journal: 2, outbox: 0, deadLetters: 0, actors: 0 });
    assert.is((await store.read("a"))!.base, 3);
    assert.equal((await store.journal("a", 0, 10)).map((row) => row.revision), [3, 4]);
    assert.equal((await store.feed(0, 10)).map((row) => row.revision), [3, 4]);
    assert.is((await store.prune(30)).journal, 0);
  });

  on("prune() leaves an actor's latest journal row, however old", async (store) => {
    await committed(store, commitOf([transition("a", 1), transition("a", 2)]));
    await store.prune(1e9);
    assert.equal((await store.journal("a", 0, 10)).map((row) => row.revision), [2]);
    assert.is((await store.read("a"))!.revision, 2);
  });

  on("prune() stops at the first young row, so that none is missing between", async (store) => {
    const ats = [10, 50, 20, 60];
    const steps = ats.map((at, index) => transition("a", index + 1, { journal: { at } }));
    await committed(store, commitOf(steps));
    await store.prune(30);
    assert.equal((await store.journal("a", 0, 10)).map((row) => row.revision), [2, 3, 4]);
  });

  on(
    "prune() removes ended effects with the journal row of their revision, never open ones",
    async (store) => {
      await committed(
        store,
        commitOf([
          transition("a", 1, { outbox: [{}, {}] }),
          transition("a", 2, { settled: ["a:1:0"], outbox: [{ state: "done" }] }),
        ]),
      );
      assert.equal(await store.prune(100), { journal: 1, outbox: 1, deadLetters: 0, actors: 0 });
      assert.equal((await store.outbox("a", 10)).map((row) => row.id), ["a:1:1", "a:2:0"]);
    },
  );

  on("prune() forgets event ids and dead letters that are old", async (store) => {
    const deadLetters = [letter("a", "x", { at: 5 }), letter("a", "y", { at: 50 })];
    await committed(store, commitOf([transition("a", 1), transition("a", 2)], { deadLetters }));
    assert.equal(await store.prune(50), { journal: 1, outbox: 0, deadLetters: 1, actors: 0 });
    assert.equal((await store.deadLetters(null, 10)).map((row) => row.eventId), ["y"]);
    await committed(
      store,
      commitOf([
        transition("a", 3, { journal: { eventId: "e1" } }),
        transition("a", 4, { journal: { eventId: "x" } }),
      ]),
    );
  });

  on("prune() removes actors that ended and have no open row", async (store) => {
    const ended = (id: string, more = {}) =>
      transition(id, 1, { actor: { status: "done", updatedAt: 5 }, ...more });
    await committed(
      store,
      commitOf([
        ended("gone", { outbox: [{ state: "done" }] }),
        ended("effect", { outbox: [{}] }),
        ended("event", { tells: [tell("event", "t")] }),
        ended("timer", { timersSet: [timer("timer", "x", 900)] }),
        ended("young", { actor: { status: "stopped", updatedAt: 50 } }),
        ended("alive", { actor: { status: "active", updatedAt: 5 } }),
        ended("crashed", { actor: { status: "crashed", updatedAt: 5 } }),
      ]),
    );
    assert.equal(await store.prune(50), { journal: 1, outbox: 1, deadLetters: 0, actors: 1 });
    const left = (await store.actors({ limit: 10 })).map((row) => row.id);
    assert.equal(left, ["alive", "crashed", "effect", "event", "timer", "young"]);
    assert.is((await store.feed(0, 10)).length, 6);
    await committed(store, commitOf([ended("gone")]));
  });

  on("feed() numbers never come back, also after the last row was pruned", async (store) => {
    await committed(store, commitOf([transition("a", 1, { actor: { status: "done" } })]));
    const [last] = await store.feed(0, 10);
    await store.prune(1e9);
    assert.equal(await store.feed(0, 10), []);
    await committed(store, commitOf([transition("b", 1)]));
    assert.ok((await store.feed(0, 10))[0]!.seq > last!.seq);
  });

  on("prune() removes however many dead letters are old", async (store) => {
    const deadLetters = Array.from({ length: 2_100 }, (_, at) => letter("a", `x${at}`, { at }));
    await committed(store, commitOf([transition("a", 1)], { deadLetters }));
    assert.is((await store.prune(2_050)).deadLetters, 2_050);
    assert.is((await store.deadLetters(null, 100)).length, 50);
  });
}
