import * as assert from "uvu/assert";
import { asError } from "../../runtime/engine/host.ts";
import { suite } from "../harness.ts";

const test = suite("as-error");

test("asError() gives an error back, and makes one that says what plain data says", () => {
  const error = new TypeError("no");
  assert.is(asError(error), error);
  const failure = { code: "superseded", message: "Another one.", class: "permanent" };
  assert.is(asError(failure).message, "Another one.");
  assert.is(asError(failure).cause, failure);
  assert.is(asError({ code: 1 }).message, '{"code":1}');
  assert.is(asError("text").message, "text");
  assert.is(asError(undefined).message, "undefined");
});
