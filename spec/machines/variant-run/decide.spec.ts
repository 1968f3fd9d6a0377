import * as assert from "uvu/assert";
import { afterFailure, mustConfirm } from "../../../machines/variant-run/decide.ts";
import { suite } from "../../harness.ts";
import { failure, outcome } from "./play.ts";

const test = suite("variant-run/decide");

const cases = [
  // class, tries of 3, losses of 2, decision
  ["transient", 1, 0, "retry"],
  ["transient", 2, 2, "retry"],
  ["transient", 3, 0, "give-up"],
  ["sidecar-lost", 3, 0, "rebook"],
  ["sidecar-lost", 1, 1, "rebook"],
  ["sidecar-lost", 1, 2, "give-up"],
  ["permanent", 1, 0, "give-up"],
] as const;

for (const [kind, tries, losses, next] of cases) {
  test(`afterFailure() answers ${next} to ${kind} on try ${tries} after ${losses} losses`, () => {
    const limits = { tries, retry: { maxAttempts: 3 }, losses, maxLosses: 2 };
    assert.is(afterFailure(failure(kind), limits), next);
  });
}

test("mustConfirm() asks for a run alone after a timeout beside others, and after nothing else", () => {
  assert.ok(mustConfirm(outcome("timeout"), false));
  assert.not(mustConfirm(outcome("timeout"), true));
  for (const status of ["killed", "survived", "error"] as const) {
    assert.not(mustConfirm(outcome(status), false));
  }
});
