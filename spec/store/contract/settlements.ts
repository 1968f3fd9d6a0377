import * as assert from "uvu/assert";
import type { Store } from "../../../runtime/store/store.ts";
import { commitOf, committed, HASHES, letter, transition } from "../builders.ts";
import { claimBy, type On } from "./on.ts";

export function settlements(on: On): void {
  const running = async (store: Store) => {
    await committed(
      store,
      commitOf([transition("a", 1, { outbox: [{}, {}, {}] })], {
        lease: { owner: "o", until: 100 },
      }),
    );
  };

  on("settle() writes done, retry and dead", async (store) => {
    await running(store);
    const dead = letter("a", "a:1:2");
    const refused = await store.settle([
      { actor: "a", id: "a:1:0", epoch: 2, outcome: { kind: "done" } },
      { actor: "a", id: "a:1:1", epoch: 2, outcome: { kind: "retry", due: 33 } },
      { actor: "a", id: "a:1:2", epoch: 2, outcome: { kind: "dead", letter: dead } },
    ], 10);
    assert.equal(refused, []);
    const rows = await store.outbox("a", 10);
    assert.equal(rows.map((row) => [row.state, row.attempts, row.due, row.claimed]), [
      ["done", 0, 0, 2],
      ["open", 1, 33, null],
      ["dead", 0, 0, 2],
    ]);
    assert.equal(await store.deadLetters("a", 10), [dead]);
    assert.equal(await store.claim(claimBy("o", 32)), []);
    const [work] = await store.claim(claimBy("o", 33));
    assert.equal(work!.outbox.map((row) => [row.id, row.attempts, row.claimed]), [["a:1:1", 1, 2]]);
  });

  on("settle() refuses what is fenced, not open or unknown, and writes the rest", async (store) => {
    await running(store);
    const done = { kind: "done" } as const;
    const refused = await store.settle([
      { actor: "a", id: "a:1:0", epoch: 1, outcome: done },
      { actor: "a", id: "a:1:1", epoch: 2, outcome: done },
      { actor: "a", id: "a:1:1", epoch: 2, outcome: done },
      { actor: "b", id: "a:1:2", epoch: 2, outcome: done },
      { actor: "a", id: "nope", epoch: 2, outcome: done },
    ], 10);
    assert.equal(refused, ["a:1:0", "a:1:1", "a:1:2", "nope"]);
    assert.equal((await store.outbox("a", 10)).map((row) => row.state), ["open", "done", "open"]);
  });

  on(
    "settle() of the late is refused after an adoption, and the adopter's is written",
    async (store) => {
      await running(store);
      await store.claim(claimBy("p", 100));
      const late = { actor: "a", id: "a:1:0", epoch: 2, outcome: { kind: "done" } } as const;
      assert.equal(await store.settle([late], 100), ["a:1:0"]);
      assert.equal(await store.settle([{ ...late, epoch: 3 }], 100), []);
    },
  );

  on("settle() leaves nothing to adopt when every effect has ended", async (store) => {
    await running(store);
    for (const id of ["a:1:0", "a:1:1", "a:1:2"]) {
      await store.settle([{ actor: "a", id, epoch: 2, outcome: { kind: "done" } }], 10);
    }
    assert.is(await store.nextDue("p", HASHES, 500), undefined);
    assert.equal(await store.claim(claimBy("p", 500)), []);
  });
}
