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
      const applied = applyChanges(before, changesBetween(before, after));
      assert.is(canonical(applied), canonical(after));
    }),
    { numRuns: 500 },
  );
});

test("a property called __proto__ is a property", () => {
  const [empty, full, other] = ["{}", '{"__proto__":{"a":1}}', '{"__proto__":{"a":2}}'].map(
    (text) => JSON.parse(text) as Json,
  ) as [Json, Json, Json];
  for (const [before, after] of [[empty, full], [full, other], [full, empty]] as const) {
    const applied = applyChanges(before, changesBetween(before, after));
    assert.is(JSON.stringify(applied), JSON.stringify(after));
  }
});

test("changesBetween() names only what differs", () => {
  const before = { a: { b: 1, c: [1, 2] }, d: null, e: "gone" };
  const after = { a: { b: 2, c: [1, 2, 3] }, d: null };
  assert.equal(changesBetween(before, after), [[["e"]], [["a", "b"], 2], [["a", "c", 2], 3]]);
  assert.equal(changesBetween(before, structuredClone(before)), []);
  assert.equal(changesBetween(undefined, 1), [[[], 1]]);
});

/** JSON text with sorted keys. */
function canonical(value: Json): string {
  if (Array.isArray(value)) return `[${value.map(canonical).join()}]`;
  if (typeof value !== "object" || value === null) return JSON.stringify(value);
  const entries = Object.entries(value).sort(([a], [b]) => (a < b ? -1 : 1));
  return `{${entries.map(([key, each]) => `${JSON.stringify(key)}:${canonical(each)}`).join()}}`;
}
