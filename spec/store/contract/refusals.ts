import * as assert from "uvu/assert";
import { commitOf, committed, letter, transition } from "../builders.ts";
import { type On } from "./on.ts";

export function refusals(on: On): void {
  on(
    "commit() of a known event answers duplicate with the revision that applied it",
    async (store) => {
      await committed(store, commitOf([transition("a", 1), transition("a", 2)]));
      const again = transition("a", 3, { journal: { eventId: "e1" } });
      assert.equal(await store.commit(commitOf([again])), {
        outcome: "duplicate",
        actor: "a",
        eventId: "e1",
        earlier: { kind: "applied", revision: 1 },
      });
    },
  );

  on("commit() of a dead-lettered event answers duplicate with the reason", async (store) => {
    await committed(store, commitOf([transition("a", 1)], { deadLetters: [letter("a", "x")] }));
    assert.equal(
      await store.commit(commitOf([transition("a", 2, { journal: { eventId: "x" } })])),
      {
        outcome: "duplicate",
        actor: "a",
        eventId: "x",
        earlier: { kind: "dead-letter", reason: "unwanted" },
      },
    );
  });

  on("commit() takes one event id for two actors", async (store) => {
    await committed(store, commitOf([transition("a", 1), transition("b", 1)]));
    assert.is((await store.feed(0, 10)).length, 2);
  });

  on("commit() from an old revision answers conflict with the actor as it is", async (store) => {
    await committed(store, commitOf([transition("a", 1), transition("a", 2)]));
    const result = await store.commit(
      commitOf([transition("a", 2, { journal: { eventId: "n" } })]),
    );
    assert.equal(result, { outcome: "conflict", actor: "a", current: await store.read("a") });
  });

  on("commit() for an actor that is not there answers conflict with null", async (store) => {
    assert.equal(await store.commit(commitOf([transition("a", 2)])), {
      outcome: "conflict",
      actor: "a",
      current: null,
    });
  });

  on("commit() of a new actor answers conflict where there is one", async (store) => {
    await committed(store, commitOf([transition("a", 1)]));
    const result = await store.commit(
      commitOf([transition("a", 1, { journal: { eventId: "n" } })]),
    );
    assert.is(result.outcome, "conflict");
  });

  on("commit() with another fence than the epoch answers fenced", async (store) => {
    await committed(store, commitOf([transition("a", 1, { actor: { epoch: 4 } })]));
    assert.equal(await store.commit(commitOf([transition("a", 2, { fence: 3 })])), {
      outcome: "fenced",
      actor: "a",
      epoch: 4,
    });
    await committed(store, commitOf([transition("a", 2, { fence: 4 })]));
  });

  on("commit() compares the fences with the epochs from before the commit", async (store) => {
    await committed(store, commitOf([transition("a", 1)]));
    const steps = [transition("a", 2, { fence: 1 }), transition("a", 3, { fence: 1 })];
    await committed(store, commitOf(steps, { lease: { owner: "o", until: 50 } }));
    assert.is((await store.read("a"))!.epoch, 2);
  });

  on("commit() with an unexpected record version answers record-conflict", async (store) => {
    const records = [{ collection: "c", key: "k", value: "1", expected: 0 }];
    await committed(store, commitOf([], { records }));
    assert.equal(await store.commit(commitOf([transition("a", 1)], { records })), {
      outcome: "record-conflict",
      collection: "c",
      key: "k",
      version: 1,
    });
    assert.is(await store.read("a"), undefined);
  });

  on("commit() checks event ids, then revisions, then fences, then records", async (store) => {
    await committed(store, commitOf([transition("a", 1), transition("b", 1)]));
    const records = [{ collection: "c", key: "k", value: "1", expected: 7 }];
    const outcome = async (...steps: Parameters<typeof commitOf>[0]) =>
      (await store.commit(commitOf(steps, { records }))).outcome;
    const known = { journal: { eventId: "e1" } };
    const fine = transition("b", 2);
    assert.is(
      await outcome(transition("a", 5, { fence: 9 }), transition("b", 2, known)),
      "duplicate",
    );
    assert.is(await outcome(transition("a", 2, { fence: 9 }), transition("b", 5)), "conflict");
    assert.is(await outcome(transition("a", 2, { fence: 9 }), fine), "fenced");
    assert.is(await outcome(transition("a", 2, { fence: 1 }), fine), "record-conflict");
  });

  on("commit() finds duplicates in a long journal", async (store) => {
    const steps = Array.from({ length: 40 }, (_, at) => transition("a", at + 1));
    await committed(store, commitOf(steps));
    for (const revision of [1, 20, 40]) {
      const again = transition("a", 41, { journal: { eventId: `e${revision}` } });
      const result = await store.commit(commitOf([again]));
      assert.equal(result.outcome === "duplicate" && result.earlier, { kind: "applied", revision });
    }
  });
}
