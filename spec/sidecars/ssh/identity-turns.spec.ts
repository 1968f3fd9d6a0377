import * as assert from "uvu/assert";
import type { IdentityChoice } from "../../../runtime/sidecars/ssh/identity-choices.ts";
import { IdentityTurns } from "../../../runtime/sidecars/ssh/identity-turns.ts";
import { suite } from "../../harness.ts";

const test = suite("IdentityTurns");

function choice(name: string): IdentityChoice {
  return { name, load: () => Promise.reject(new Error("not asked for")) };
}

const A = choice("a"), B = choice("b"), C = choice("c");

test("pick() goes on to the first that was not refused", () => {
  const turns = new IdentityTurns();
  assert.is(turns.pick([A, B, C]), A);
  assert.ok(turns.refused(A, [A, B, C]));
  assert.is(turns.pick([A, B, C]), B);
  assert.is(turns.pick([C, A, B]), C);
});

test("refused() says when none is left, and then all come round again", () => {
  const turns = new IdentityTurns();
  assert.ok(turns.refused(A, [A, B]));
  assert.not(turns.refused(B, [A, B]));
  assert.is(turns.pick([A, B]), A);
  assert.not(turns.refused(A, [A]));
});

test("pick() stays with what was accepted until it is refused, and then asks the others", () => {
  const turns = new IdentityTurns();
  turns.refused(A, [A, B, C]);
  turns.accepted(B);
  assert.is(turns.pick([A, B, C]), B);
  assert.ok(turns.refused(B, [A, B, C]));
  assert.is(turns.pick([A, B, C]), A);
});

test("pick() knows nothing of what is not there any more", () => {
  const turns = new IdentityTurns();
  turns.accepted(B);
  assert.is(turns.pick([A, C]), A);
});
