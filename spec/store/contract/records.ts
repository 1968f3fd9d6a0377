import * as assert from "uvu/assert";
import { commitOf, committed } from "../builders.ts";
import { type On } from "./on.ts";

export function records(on: On): void {
  const put = (key: string, value: string | null, expected?: number) => ({
    collection: "c",
    key,
    value,
    ...(expected === undefined ? {} : { expected }),
  });

  on("record() rises in version with every write, and a deleted one begins anew", async (store) => {
    assert.is(await store.record("c", "k"), undefined);
    await committed(store, commitOf([], { records: [put("k", "1", 0)] }));
    await committed(store, commitOf([], { records: [put("k", "2", 1)] }));
    await committed(store, commitOf([], { records: [put("k", "3")] }));
    assert.equal(await store.record("c", "k"), {
      collection: "c",
      key: "k",
      value: "3",
      version: 3,
    });
    await committed(store, commitOf([], { records: [put("k", null, 3)] }));
    assert.is(await store.record("c", "k"), undefined);
    await committed(store, commitOf([], { records: [put("k", null), put("l", null, 0)] }));
    await committed(store, commitOf([], { records: [put("k", "4", 0)] }));
    assert.is((await store.record("c", "k"))!.version, 1);
  });

  on(
    "records() are ordered by key, by code points, from a prefix and after a key",
    async (store) => {
      const keys = ["b", "a", "aé", "ab", "a\uffee", "a😀", "B", "a%"];
      await committed(store, commitOf([], { records: keys.map((key) => put(key, "0")) }));
      await committed(
        store,
        commitOf([], { records: [{ ...put("other", "0"), collection: "d" }] }),
      );
      const list = async (query: { prefix?: string; after?: string; limit?: number }) =>
        (await store.records("c", { limit: 100, ...query })).map((row) => row.key);
      assert.equal(await list({}), ["B", "a", "a%", "ab", "aé", "a\uffee", "a😀", "b"]);
      assert.equal(await list({ prefix: "a", after: "ab" }), ["aé", "a\uffee", "a😀"]);
      assert.equal(await list({ prefix: "a", limit: 2 }), ["a", "a%"]);
      assert.equal(await list({ prefix: "a", after: "b" }), []);
      assert.equal(await list({ prefix: "a", after: "A" }), await list({ prefix: "a" }));
    },
  );
}
