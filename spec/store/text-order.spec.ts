import fc from "fast-check";
import { Buffer } from "node:buffer";
import * as assert from "uvu/assert";
import { suite } from "../harness.ts";
import { check } from "../kit/check.ts";
import { compareText, textAfterPrefix } from "../../runtime/store/text-order.ts";

const test = suite("text order");

const point = fc.constantFrom("a", "b", "\ud7ff", "\ue000", "\uffff", "😀", "\u{10ffff}");
const text = fc.array(point, { maxLength: 4 }).map((points) => points.join(""));

test("compareText() orders as the bytes of UTF-8 do", async () => {
  await check(
    fc.property(text, text, (a, b) => {
      assert.is(Math.sign(compareText(a, b)), Buffer.compare(Buffer.from(a), Buffer.from(b)));
    }),
    { numRuns: 500 },
  );
});

test("textAfterPrefix() ends the range of the texts that begin with the prefix", async () => {
  await check(
    fc.property(text, text, (prefix, each) => {
      const end = textAfterPrefix(prefix);
      const within = compareText(each, prefix) >= 0 &&
        (end === undefined || compareText(each, end) < 0);
      assert.is(within, each.startsWith(prefix));
    }),
    { numRuns: 2000 },
  );
});
