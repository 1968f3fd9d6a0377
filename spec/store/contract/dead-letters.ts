import * as assert from "uvu/assert";
import { commitOf, committed, letter, tell, transition } from "../builders.ts";
import { type On } from "./on.ts";

export function deadLetters(on: On): void {
  on("commit() keeps dead letters and removes their inbox rows", async (store) => {
    await committed(
      store,
      commitOf([transition("a", 1, { tells: [tell("a", "t"), tell("a", "u")] })]),
    );
    const dead = letter("a", "t", { error: '{"name":"E","message":"m"}' });
    await committed(store, commitOf([], { deadLetters: [dead] }));
    assert.equal(await store.deadLetters("a", 10), [dead]);
    assert.equal((await store.inbox("a", 10)).map((row) => row.eventId), ["u"]);
  });

  on("commit() with a dead letter of an effect makes its open row dead", async (store) => {
    await committed(store, commitOf([transition("a", 1, { outbox: [{}, {}] })]));
    await committed(store, commitOf([], { deadLetters: [letter("a", "a:1:1")] }));
    assert.equal((await store.outbox("a", 10)).map((row) => row.state), ["open", "dead"]);
  });

  on("commit() with a known dead letter is a duplicate beside transitions", async (store) => {
    await committed(store, commitOf([], { deadLetters: [letter("a", "x")] }));
    const result = await store.commit(
      commitOf([transition("a", 1)], { deadLetters: [letter("a", "x")] }),
    );
    assert.equal(result, {
      outcome: "duplicate",
      actor: "a",
      eventId: "x",
      earlier: { kind: "dead-letter", reason: "unwanted" },
    });
    assert.is(await store.read("a"), undefined);
  });

  on("commit() of dead letters alone skips those it has", async (store) => {
    await committed(store, commitOf([], { deadLetters: [letter("a", "x")] }));
    const deadLetters = [letter("a", "x", { reason: "again" }), letter("a", "y")];
    assert.equal(await store.commit(commitOf([], { deadLetters })), {
      outcome: "committed",
      actors: [],
    });
    assert.equal((await store.deadLetters("a", 10)).map((row) => [row.eventId, row.reason]), [
      ["x", "unwanted"],
      ["y", "unwanted"],
    ]);
  });

  on("commit() never makes a dead letter of an applied event", async (store) => {
    await committed(store, commitOf([transition("a", 1)]));
    await committed(store, commitOf([], { deadLetters: [letter("a", "e1")] }));
    assert.equal(await store.deadLetters("a", 10), []);
    const result = await store.commit(
      commitOf([transition("b", 1)], { deadLetters: [letter("a", "e1")] }),
    );
    assert.equal(result, {
      outcome: "duplicate",
      actor: "a",
      eventId: "e1",
      earlier: { kind: "applied", revision: 1 },
    });
  });
}
