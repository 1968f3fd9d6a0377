import * as assert from "uvu/assert";
import { isSidecanaryError } from "../runtime/errors.ts";
import { plainJson } from "../runtime/plain-json.ts";
import { suite } from "./harness.ts";

const test = suite("plain json");

test("plainJson() answers the text of plain data, without properties that are undefined", () => {
  const value = { a: [1, null, "x", { b: true }], gone: undefined, "": 0 };
  assert.is(plainJson(value, "it"), '{"a":[1,null,"x",{"b":true}],"":0}');
  assert.is(plainJson(Object.assign(Object.create(null), { a: 1 }), "it"), '{"a":1}');
});

test("plainJson() refuses what JSON would change in silence, and names its path", () => {
  const toJSON = () => 1;
  const changed = [
    () => 1,
    Symbol("s"),
    1n,
    NaN,
    Infinity,
    new Date(0),
    new Map(),
    new (class Own {})(),
    [undefined],
    new Array(1),
    { toJSON },
    Object.assign([], { toJSON }),
  ];
  for (const value of changed) {
    const error = refusal({ deep: value });
    assert.ok(isSidecanaryError(error, "not-json"), String(error));
    assert.match(error.message, "in it");
  }
});

test("plainJson() refuses undefined itself", () => {
  assert.ok(isSidecanaryError(refusal(undefined), "not-json"));
});

function refusal(value: unknown): unknown {
  try {
    plainJson(value, "it");
  } catch (error) {
    return error;
  }
  return undefined;
}
