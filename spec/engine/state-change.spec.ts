import * as assert from "uvu/assert";
import fc from "fast-check";
import { applyChanges, changesBetween } from "../../runtime/engine/state-change.ts";
import type { Json } from "../../runtime/json.ts";
import { suite } from "../harness.ts";
import { check } from "../kit/check.ts";

const test = suite("state-change");

test("applyChanges() of changesBetween() gives the second value, for any two JSON values", async () => {
  const json = fc.jsonValue({ maxDepth: 4 }).map((value) => JSON.parse(JSON.stringify(value)));
  await check(
    fc.property(json, json, (before: Json, after: Json) => {
      assert.equal(applyChanges(before, changesBetween(before, after)), after);
    }),
    { numRuns: 500 },
  );
});

test("changesBetween() names only what differs", () => {
  const before = { a: { b: 1, c: [1, 2] }, d: null, e: "gone" };
  const after = { a: { b: 2, c: [1, 2, 3] }, d: null };
  assert.equal(changesBetween(before, after), [[["e"]], [["a", "b"], 2], [["a", "c", 2], 3]]);
  assert.equal(changesBetween(before, structuredClone(before)), []);
  assert.equal(changesBetween(undefined, 1), [[[], 1]]);
});
