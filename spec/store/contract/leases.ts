import * as assert from "uvu/assert";
import type { Store } from "../../../runtime/store/store.ts";
import { commitOf, committed, transition } from "../builders.ts";
import { claimBy, type On } from "./on.ts";

export function leases(on: On): void {
  const step = (store: Store, revision: number, owner: string, now: number, until = now + 100) =>
    committed(
      store,
      commitOf([transition("a", revision, { outbox: [{}] })], { lease: { owner, until }, now }),
    );

  on("commit() takes a free lease, which begins an epoch", async (store) => {
    const [row] = await step(store, 1, "o", 10, 60);
    assert.equal([row!.owner, row!.leaseUntil, row!.epoch], ["o", 60, 2]);
    assert.is((await store.outbox("a", 10))[0]!.claimed, 2);
  });

  on(
    "commit() prolongs its own lease, even an expired one, and never shortens it",
    async (store) => {
      await step(store, 1, "o", 10, 60);
      const [longer] = await step(store, 2, "o", 70, 170);
      assert.equal([longer!.leaseUntil, longer!.epoch], [170, 2]);
      const [same] = await step(store, 3, "o", 80, 100);
      assert.equal([same!.leaseUntil, same!.epoch], [170, 2]);
    },
  );

  on("commit() leaves another's lease alone, and its effects to the holder", async (store) => {
    await step(store, 1, "o", 10, 60);
    const [row] = await step(store, 2, "p", 59);
    assert.equal([row!.owner, row!.leaseUntil, row!.epoch, row!.revision], ["o", 60, 2, 2]);
    assert.equal((await store.outbox("a", 10)).map((each) => each.claimed), [2, null]);
    const [work] = await store.claim(claimBy("o", 59));
    assert.equal(work!.outbox.map((each) => each.id), ["a:2:0"]);
  });

  on(
    "commit() takes a lease at the moment it expires, and frees what was claimed",
    async (store) => {
      await step(store, 1, "o", 10, 60);
      const [row] = await step(store, 2, "p", 60, 160);
      assert.equal([row!.owner, row!.leaseUntil, row!.epoch], ["p", 160, 3]);
      assert.equal((await store.outbox("a", 10)).map((each) => each.claimed), [null, 3]);
    },
  );

  on("commit() without a lease keeps the stored one", async (store) => {
    await step(store, 1, "o", 10, 60);
    const [row] = await committed(store, commitOf([transition("a", 2)], { now: 70 }));
    assert.equal([row!.owner, row!.leaseUntil, row!.epoch], ["o", 60, 2]);
  });

  on("commit() writes a higher epoch, never a lower one", async (store) => {
    await step(store, 1, "o", 10, 60);
    const [restarted] = await committed(
      store,
      commitOf([transition("a", 2, { actor: { epoch: 7 } })]),
    );
    assert.is(restarted!.epoch, 7);
    assert.is((await store.outbox("a", 10))[0]!.claimed, null);
    const [lower] = await committed(store, commitOf([transition("a", 3, { actor: { epoch: 3 } })]));
    assert.is(lower!.epoch, 7);
  });

  on("renew() prolongs what the owner holds and answers the rest", async (store) => {
    await step(store, 1, "o", 10, 60);
    await committed(store, commitOf([transition("b", 1)]));
    assert.equal(await store.renew("o", ["a", "b", "nobody"], 500), ["b", "nobody"]);
    assert.is((await store.read("a"))!.leaseUntil, 500);
    assert.equal(await store.renew("p", ["a"], 900), ["a"]);
    assert.equal(await store.renew("o", ["a"], 100), []);
    assert.is((await store.read("a"))!.leaseUntil, 500);
  });

  on("release() gives back only what the owner holds", async (store) => {
    await step(store, 1, "o", 10, 60);
    await store.release("p", ["a", "nobody"]);
    assert.is((await store.read("a"))!.owner, "o");
    await store.release("o", ["a"]);
    const row = (await store.read("a"))!;
    assert.equal([row.owner, row.leaseUntil, row.epoch], [null, 0, 2]);
  });

  on(
    "release() frees effects that were handed out, and the next holder begins an epoch",
    async (store) => {
      await step(store, 1, "o", 10, 60);
      assert.equal(await store.claim(claimBy("p", 20)), []);
      await store.release("o", ["a"]);
      const [work] = await store.claim(claimBy("p", 20));
      assert.equal([work!.actor.owner, work!.actor.epoch], ["p", 3]);
      assert.equal(work!.outbox.map((row) => [row.id, row.claimed]), [["a:1:0", 3]]);
    },
  );

  on(
    "release() lets the same owner claim again what it has lost sight of, in the next epoch",
    async (store) => {
      await step(store, 1, "o", 10, 60);
      for (const now of [20, 60, 1_000]) assert.equal(await store.claim(claimBy("o", now)), []);
      await store.release("o", ["a"]);
      const [work] = await store.claim(claimBy("o", 1_000));
      assert.equal([work!.actor.owner, work!.actor.epoch], ["o", 3]);
      assert.equal(work!.outbox.map((row) => [row.id, row.claimed]), [["a:1:0", 3]]);
      const late = { actor: "a", id: "a:1:0", epoch: 2, outcome: { kind: "done" } } as const;
      assert.equal(await store.settle([late], 1_000), ["a:1:0"]);
    },
  );

  on("release() leaves what is settled before the next claim settled", async (store) => {
    await step(store, 1, "o", 10, 60);
    await store.release("o", ["a"]);
    const late = { actor: "a", id: "a:1:0", epoch: 2, outcome: { kind: "done" } } as const;
    assert.equal(await store.settle([late], 20), []);
    assert.equal(await store.claim(claimBy("o", 1_000)), []);
  });
}
