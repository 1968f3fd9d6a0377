import assert from "node:assert/strict";
import { fee, firstFree } from "./src/parking.js";

assert.equal(fee(10), 0);
assert.equal(fee(60), 250);
assert.equal(fee(61), 500);
assert.equal(fee(24 * 60), 2000);
assert.equal(fee(25 * 60), 2250);
assert.throws(() => fee(-1), RangeError);
assert.equal(firstFree(new Set()), 1);
assert.equal(firstFree(new Set([1, 2, 4])), 3);

console.log("8 checks passed");
