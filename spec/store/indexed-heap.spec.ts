import fc from "fast-check";
import * as assert from "uvu/assert";
import { suite } from "../harness.ts";
import { check } from "../kit/check.ts";
import { IndexedHeap } from "../../runtime/store/memory/indexed-heap.ts";
import { compareText } from "../../runtime/store/text-order.ts";

const test = suite("indexed heap");

test("IndexedHeap gives its ids in the order of (key, id) after any changes", async () => {
  const id = fc.integer({ min: 0, max: 30 }).map((n) => `i${n}`);
  const key = fc.option(fc.integer({ min: 0, max: 20 }), { nil: undefined });
  await check(
    fc.property(fc.array(fc.tuple(id, key), { maxLength: 120 }), (changes) => {
      const heap = new IndexedHeap();
      const model = new Map<string, number>();
      for (const [id, key] of changes) {
        heap.set(id, key);
        if (key === undefined) model.delete(id);
        else model.set(id, key);
      }
      const sorted = [...model].sort((a, b) => a[1] - b[1] || compareText(a[0], b[0]));
      assert.equal([...heap.ascending()].map((item) => [item.id, item.key]), sorted);
      assert.is(heap.size, model.size);
    }),
    { numRuns: 500 },
  );
});
