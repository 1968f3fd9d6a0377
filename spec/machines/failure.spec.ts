import * as assert from "uvu/assert";
import fc from "fast-check";
import { isFailure, reasonOf, toFailure } from "../../machines/failure.ts";
import { suite } from "../harness.ts";
import { check } from "../kit/check.ts";

const test = suite("failure");

const lost = { code: "reset", message: "The connection was reset", class: "sidecar-lost" } as const;

test("toFailure() passes a failure on without further fields", () => {
  assert.equal(toFailure({ ...lost, stack: "x", retryAfterMs: 5 }), { ...lost, retryAfterMs: 5 });
});

test("toFailure() drops a retryAfterMs that is no delay", () => {
  for (const retryAfterMs of [-1, 0, NaN, Infinity, "5", null]) {
    assert.equal(toFailure({ ...lost, retryAfterMs }), lost);
  }
});

test("toFailure() takes an Error for a defect, even with a failure's fields", () => {
  const unexpected = { code: "unexpected", message: "boom", class: "permanent" };
  assert.equal(toFailure(new Error("boom")), unexpected);
  assert.equal(
    toFailure(Object.assign(new Error("boom"), { code: "x", class: "transient" })),
    unexpected,
  );
});

test("toFailure() treats an Error alike before and after the engine has made it data", () => {
  const error = new TypeError("x is not a function");
  const stored = { name: error.name, message: error.message, stack: error.stack };
  assert.equal(toFailure(stored), toFailure(error));
});

test("toFailure() answers JSON data for whatever was thrown", async () => {
  await check(fc.property(fc.anything({ withBigInt: false }), (thrown) => {
    const failure = toFailure(thrown);
    assert.ok(isFailure(failure));
    assert.equal(JSON.parse(JSON.stringify(failure)), failure);
  }));
});

test("toFailure() names what is thrown and cannot be written as JSON", () => {
  const circle: { self?: unknown } = {};
  circle.self = circle;
  for (const thrown of [circle, 1n, undefined, Symbol("s"), () => {}]) {
    assert.is(toFailure(thrown).code, "unexpected");
  }
});

test("isFailure() refuses an unknown class", () => {
  assert.not(isFailure({ ...lost, class: "fatal" }));
  assert.not(isFailure(null));
});

test("reasonOf() has one word for every lost sidecar", () => {
  assert.is(reasonOf(lost), "sidecar-lost");
  assert.is(reasonOf({ ...lost, class: "permanent" }), "reset");
});
