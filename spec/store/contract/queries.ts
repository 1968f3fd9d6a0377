import * as assert from "uvu/assert";
import type { Store } from "../../../runtime/store/store.ts";
import { commitOf, committed, timer, transition } from "../builders.ts";
import { type On } from "./on.ts";

export function queries(on: On): void {
  on(
    "actors() are ordered by id and filtered by machine, status, prefix and place",
    async (store) => {
      const of = (id: string, actor = {}) => transition(id, 1, { actor });
      await committed(
        store,
        commitOf([
          of("b/1"),
          of("a/2", { machine: "n" }),
          of("a/1"),
          of("a/10", { status: "done" }),
        ]),
      );
      const list = async (
        query: Omit<Parameters<Store["actors"]>[0], "limit"> & { limit?: number },
      ) => (await store.actors({ limit: 10, ...query })).map((row) => row.id);
      assert.equal(await list({}), ["a/1", "a/10", "a/2", "b/1"]);
      assert.equal(await list({ limit: 2 }), ["a/1", "a/10"]);
      assert.equal(await list({ after: "a/10" }), ["a/2", "b/1"]);
      assert.equal(await list({ prefix: "a/", after: "a/1" }), ["a/10", "a/2"]);
      assert.equal(await list({ machine: "n" }), ["a/2"]);
      assert.equal(await list({ status: "done", prefix: "a" }), ["a/10"]);
    },
  );

  on(
    "journal() begins at a revision and feed() after a seq, in the order of commits",
    async (store) => {
      await committed(store, commitOf([transition("b", 1)]));
      await committed(store, commitOf([transition("a", 1), transition("b", 2)]));
      await committed(store, commitOf([transition("b", 3)]));
      assert.equal((await store.journal("b", 2, 10)).map((row) => row.revision), [2, 3]);
      assert.equal((await store.journal("b", 1, 2)).map((row) => row.revision), [1, 2]);
      const feed = await store.feed(0, 10);
      assert.equal(feed.map((row) => `${row.actor}${row.revision}`), ["b1", "a1", "b2", "b3"]);
      assert.ok(feed.every((row, at) => at === 0 || row.seq > feed[at - 1]!.seq));
      assert.equal(await store.feed(feed[1]!.seq, 1), [feed[2]]);
      assert.equal(await store.feed(feed[3]!.seq, 10), []);
    },
  );

  on("outbox(null) holds all open rows by due, timers(null) all timers", async (store) => {
    await committed(
      store,
      commitOf([
        transition("a", 1, { outbox: [{ due: 9 }, { due: 1 }], timersSet: [timer("a", "x", 7)] }),
        transition("b", 1, { outbox: [{ due: 5 }, { due: 5 }], timersSet: [timer("b", "y", 6)] }),
        transition("b", 2, { settled: ["b:1:1"] }),
      ]),
    );
    assert.equal((await store.outbox(null, 10)).map((row) => row.id), ["a:1:1", "b:1:0", "a:1:0"]);
    assert.equal((await store.timers(null, 10)).map((row) => row.id), ["y", "x"]);
    assert.is((await store.outbox(null, 1)).length, 1);
  });

  on("putMachine() keeps the first definition of a hash", async (store) => {
    const row = { hash: "h", name: "m", definition: "{}", at: 1 };
    await store.putMachine(row);
    await store.putMachine({ ...row, definition: "[]" });
    assert.equal(await store.machine("h"), row);
    assert.is(await store.machine("nope"), undefined);
  });

  on("read() answers rows that nobody else can change", async (store) => {
    await committed(store, commitOf([transition("a", 1)]));
    const row = (await store.read("a"))! as { state: string };
    try {
      row.state = "changed";
    } catch (error) {
      assert.instance(error, TypeError);
    }
    assert.is((await store.read("a"))!.state, '{"revision":1}');
  });
}
