import * as assert from "uvu/assert";
import { commitOf, committed, dump, letter, tell, timer, transition } from "../builders.ts";
import { claimBy, type On, rejection } from "./on.ts";

export function commits(on: On): void {
  on("commit() writes the actor, its journal row and its effects", async (store) => {
    const [row] = await committed(
      store,
      commitOf([transition("a", 1, { outbox: [{}, { kind: "announce" }] })]),
    );
    assert.equal(row, {
      id: "a",
      machine: "m",
      hash: "h1",
      revision: 1,
      base: 1,
      epoch: 1,
      status: "active",
      state: '{"revision":1}',
      supervisor: null,
      owner: null,
      leaseUntil: 0,
      updatedAt: 1,
    });
    assert.equal(await store.read("a"), row);
    assert.equal(await store.journal("a", 1, 10), [{
      seq: 1,
      actor: "a",
      revision: 1,
      eventId: "e1",
      event: '{"type":"E1"}',
      cause: null,
      at: 1,
      edges: "[]",
      change: "{}",
    }]);
    const outbox = await store.outbox("a", 10);
    assert.equal(outbox.map((each) => [each.id, each.kind, each.state, each.claimed]), [
      ["a:1:0", "invoke", "open", null],
      ["a:1:1", "announce", "open", null],
    ]);
  });

  on("commit() answers the stepped actors in the order of the transitions", async (store) => {
    const rows = await committed(store, commitOf([transition("b", 1), transition("a", 1)]));
    assert.equal(rows.map((row) => row.id), ["b", "a"]);
  });

  on(
    "commit() keeps what the transition replaces: status, hash, supervisor, state",
    async (store) => {
      await committed(store, commitOf([transition("a", 1)]));
      const actor = { status: "crashed", hash: "h2", supervisor: "s", state: "{}" } as const;
      const [row] = await committed(store, commitOf([transition("a", 2, { actor })]));
      assert.equal(await store.read("a"), row);
      assert.equal([row!.status, row!.hash, row!.supervisor, row!.state, row!.base], [
        "crashed",
        "h2",
        "s",
        "{}",
        1,
      ]);
    },
  );

  on(
    "commit() of several transitions leaves no trace when one of them is refused",
    async (store) => {
      await committed(store, commitOf([transition("b", 1)]));
      const before = await dump(store, ["a", "b"]);
      const result = await store.commit(commitOf([
        transition("a", 1, {
          outbox: [{}],
          tells: [tell("b", "t")],
          timersSet: [timer("a", "x", 1)],
        }),
        transition("b", 1, { journal: { eventId: "other" } }),
      ], {
        records: [{ collection: "c", key: "k", value: "1" }],
        deadLetters: [letter("b", "d")],
      }));
      assert.is(result.outcome, "conflict");
      assert.equal(await dump(store, ["a", "b"]), before);
    },
  );

  on("commit() steps one actor several times, each on what those before left", async (store) => {
    const rows = await committed(
      store,
      commitOf([
        transition("a", 1, { outbox: [{}] }),
        transition("a", 2, { settled: ["a:1:0"] }),
        transition("a", 3),
      ]),
    );
    assert.equal(rows.map((row) => row.revision), [3, 3, 3]);
    assert.equal((await store.journal("a", 1, 10)).map((row) => row.revision), [1, 2, 3]);
    assert.is((await store.outbox("a", 10))[0]!.state, "done");
  });

  on("commit() removes the inbox row of the event it applies", async (store) => {
    await committed(store, commitOf([transition("a", 1), transition("b", 1)]));
    await committed(
      store,
      commitOf([transition("a", 2, { tells: [tell("b", "t1"), tell("b", "t2")] })]),
    );
    await committed(store, commitOf([transition("b", 2, { journal: { eventId: "t1" } })]));
    assert.equal((await store.inbox("b", 10)).map((row) => row.eventId), ["t2"]);
  });

  on("commit() keeps tells in the order of arrival", async (store) => {
    const tells = ["z", "y", "x"].map((id) => tell("b", id, "a:1"));
    await committed(store, commitOf([transition("a", 1, { tells }), transition("b", 1)]));
    const rows = await store.inbox("b", 10);
    assert.equal(rows.map((row) => [row.eventId, row.cause]), [["z", "a:1"], ["y", "a:1"], [
      "x",
      "a:1",
    ]]);
    assert.ok(rows[0]!.seq < rows[1]!.seq && rows[1]!.seq < rows[2]!.seq);
  });

  on("commit() skips a tell that waits, was applied or is a dead letter", async (store) => {
    await committed(store, commitOf([transition("b", 1)], { deadLetters: [letter("b", "dead")] }));
    const tells = [tell("b", "t"), tell("b", "t"), tell("b", "e1"), tell("b", "dead")];
    await committed(store, commitOf([transition("a", 1, { tells })]));
    await committed(store, commitOf([transition("a", 2, { tells: [tell("b", "t")] })]));
    assert.equal((await store.inbox("b", 10)).map((row) => row.eventId), ["t"]);
  });

  on("commit() takes a tell to an actor that is not there yet", async (store) => {
    await committed(store, commitOf([transition("a", 1, { tells: [tell("later", "t")] })]));
    assert.is(await store.read("later"), undefined);
    assert.equal(await store.claim(claimBy("o")), []);
    await committed(store, commitOf([transition("later", 1)]));
    const [work] = await store.claim(claimBy("o"));
    assert.equal([work!.actor.id, work!.inbox[0]!.eventId], ["later", "t"]);
  });

  on(
    "commit() sets, replaces and clears timers; clearing one that is gone is no error",
    async (store) => {
      const timersSet = [timer("a", "x", 5), timer("a", "y", 3), timer("a", "z", 4)];
      await committed(store, commitOf([transition("a", 1, { timersSet })]));
      await committed(
        store,
        commitOf([
          transition("a", 2, { timersSet: [timer("a", "x", 1)], timersCleared: ["y", "nope"] }),
        ]),
      );
      assert.equal((await store.timers("a", 10)).map((row) => [row.id, row.due]), [["x", 1], [
        "z",
        4,
      ]]);
    },
  );

  on("commit() clears timers before it sets them", async (store) => {
    await committed(store, commitOf([transition("a", 1, { timersSet: [timer("a", "x", 5)] })]));
    await committed(
      store,
      commitOf([transition("a", 2, { timersSet: [timer("a", "x", 9)], timersCleared: ["x"] })]),
    );
    assert.equal(await store.timers("a", 10), [timer("a", "x", 9)]);
  });

  on("commit() ends open effects of the same actor only, and only once", async (store) => {
    await committed(
      store,
      commitOf([
        transition("a", 1, { outbox: [{}, {}, {}] }),
        transition("b", 1, { outbox: [{}] }),
      ]),
    );
    await committed(
      store,
      commitOf([
        transition("a", 2, { settled: ["a:1:0", "b:1:0"], cancelled: ["a:1:1", "a:1:0"] }),
      ]),
    );
    const states = async (id: string) => (await store.outbox(id, 10)).map((row) => row.state);
    assert.equal(await states("a"), ["done", "cancelled", "open"]);
    assert.equal(await states("b"), ["open"]);
  });

  on("commit() refuses what contradicts itself with a TypeError", async (store) => {
    const bad = [
      commitOf([transition("a", 1, { journal: { revision: 2 } })]),
      commitOf([transition("a", 1, { journal: { actor: "b" } })]),
      commitOf([transition("a", 1, { timersSet: [timer("b", "x", 1)] })]),
      commitOf([transition("a", 1, { outbox: [{ actor: "b" }] })]),
      commitOf([transition("a", 1), transition("a", 2, { journal: { eventId: "e1" } })]),
      commitOf([transition("a\0", 1)]),
      commitOf([transition("a", 1, { tells: [tell("b\0", "t")] })]),
      commitOf([transition("a", 1, { tells: [tell("b", "t\0")] })]),
      commitOf([transition("a", 1, { timersSet: [timer("a", "x\0", 1)] })]),
    ];
    for (const commit of bad) {
      const error = await rejection(store.commit(commit));
      assert.instance(error, TypeError);
    }
    assert.equal(await store.feed(0, 10), []);
  });
}
