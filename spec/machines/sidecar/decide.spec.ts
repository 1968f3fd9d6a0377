import * as assert from "uvu/assert";
import {
  afterStartFailure,
  mayReattach,
  mayRestart,
  mayRetryDestroy,
} from "../../../machines/sidecar/decide.ts";
import { suite } from "../../harness.ts";
import { failure, steady } from "./play.ts";

const test = suite("sidecar/decide");

const cases = [
  // class, tries of 3, restarts of 2, decision
  ["transient", 1, 0, "retry"],
  ["transient", 2, 2, "retry"],
  ["transient", 3, 0, "give-up"],
  ["sidecar-lost", 3, 0, "restart"],
  ["sidecar-lost", 1, 1, "restart"],
  ["sidecar-lost", 1, 2, "give-up"],
  ["permanent", 1, 0, "give-up"],
] as const;

for (const [kind, tries, restarts, next] of cases) {
  test(`afterStartFailure() answers ${next} to ${kind} on try ${tries} after ${restarts} restarts`, () => {
    const limits = { tries, restarts, maxRestarts: 2 };
    assert.is(afterStartFailure(failure(kind), steady, limits), next);
  });
}

test("mayRestart() allows as many restarts as the limit", () => {
  const allowed = [0, 1, 2, 3].map((restarts) => mayRestart({ restarts, maxRestarts: 2 }));
  assert.equal(allowed, [true, true, false, false]);
});

test("mayRetryDestroy() goes on after a lost connection, within the policy", () => {
  assert.ok(mayRetryDestroy(failure("transient"), steady, { tries: 2 }));
  assert.ok(mayRetryDestroy(failure("sidecar-lost"), steady, { tries: 2 }));
  assert.not(mayRetryDestroy(failure("transient"), steady, { tries: 3 }));
  assert.not(mayRetryDestroy(failure("permanent"), steady, { tries: 1 }));
});

test("mayReattach() goes on after a transient failure alone, within the policy", () => {
  assert.ok(mayReattach(failure("transient"), steady, { tries: 2 }));
  assert.not(mayReattach(failure("transient"), steady, { tries: 3 }));
  assert.not(mayReattach(failure("sidecar-lost"), steady, { tries: 1 }));
  assert.not(mayReattach(failure("permanent"), steady, { tries: 1 }));
});
