import * as assert from "uvu/assert";
import { isSidecanaryError } from "../../../runtime/errors.ts";
import type { Test } from "../../harness.ts";
import type { Store } from "../../../runtime/store/store.ts";
import { commitOf, committed, tell, timer, transition } from "../builders.ts";
import { claimBy, type On, rejection } from "./on.ts";

export function life(on: On, test: Test, open: () => Promise<Store>): void {
  on(
    "watch() is told of new work, of retries and of released leases, until it is stopped",
    async (store) => {
      let calls = 0;
      const stop = store.watch(() => calls++);
      const told = async (act: () => Promise<unknown>) => {
        const before = calls;
        await act();
        await Promise.resolve();
        return calls > before;
      };
      assert.is(await told(() => committed(store, commitOf([transition("a", 1)]))), false);
      const more = { outbox: [{}], tells: [tell("b", "t")] };
      assert.ok(await told(() => committed(store, commitOf([transition("a", 2, more)]))));
      await store.claim(claimBy("o"));
      const outcome = { kind: "retry", due: 20 } as const;
      assert.ok(
        await told(() => store.settle([{ actor: "a", id: "a:2:0", epoch: 2, outcome }], 10)),
      );
      assert.ok(await told(() => store.release("o", ["a"])));
      stop();
      const timersSet = [timer("a", "x", 1)];
      assert.is(
        await told(() => committed(store, commitOf([transition("a", 3, { timersSet })]))),
        false,
      );
    },
  );

  on("commit() keeps the order of commits that were made at once", async (store) => {
    const all = Array.from(
      { length: 300 },
      (_, at) => store.commit(commitOf([transition(`a${at}`, 1)])),
    );
    assert.ok((await Promise.all(all)).every((result) => result.outcome === "committed"));
    const feed = await store.feed(0, 1000);
    assert.equal(feed.map((row) => row.actor), Array.from({ length: 300 }, (_, at) => `a${at}`));
  });

  on("commit() of racing steps from one revision applies one of them", async (store) => {
    await committed(store, commitOf([transition("a", 1)]));
    const race = ["x", "y", "z"].map((eventId) =>
      store.commit(commitOf([transition("a", 2, { journal: { eventId } })]))
    );
    const outcomes = (await Promise.all(race)).map((result) => result.outcome).sort();
    assert.equal(outcomes, ["committed", "conflict", "conflict"]);
  });

  test("close() waits for what was accepted, and later calls reject with store-closed", async () => {
    const store = await open();
    const pending = store.commit(commitOf([transition("a", 1)]));
    await store.close();
    assert.is((await pending).outcome, "committed");
    await store.close();
    const calls = [
      () => store.commit(commitOf([])),
      () => store.read("a"),
      () => store.claim(claimBy("o")),
      () => store.release("o", []),
      () => store.prune(1),
    ];
    for (const call of calls) {
      const error = await rejection(call());
      assert.ok(isSidecanaryError(error, "store-closed"), String(error));
    }
  });
}
