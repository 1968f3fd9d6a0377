import * as assert from "uvu/assert";
import fc from "fast-check";
import type { VerdictStatus } from "../../../machines/mod.ts";
import {
  endAfter,
  mayRetry,
  NO_SIDECAR,
  withoutVerdict,
  withTally,
  withVerdict,
} from "../../../machines/campaign/decide.ts";
import { suite } from "../../harness.ts";
import { check } from "../../kit/check.ts";
import { failure, none, steady } from "./play.ts";

const test = suite("campaign/decide");

const empty = { planned: 5, ...none, revoked: 0 };

test("mayRetry() repeats all but permanent failures, within the policy", () => {
  assert.ok(mayRetry(failure("transient"), steady, 2));
  assert.ok(mayRetry(failure("sidecar-lost"), steady, 2));
  assert.not(mayRetry(failure("transient"), steady, 3));
  assert.not(mayRetry(failure("permanent"), steady, 1));
});

test("endAfter() blames the baseline for what its commands did, and for nothing else", () => {
  assert.is(endAfter("baseline", failure("permanent", "exit-1")), "baseline-failed");
  assert.is(endAfter("baseline", failure("transient", "refused")), "failed");
  assert.is(endAfter("baseline", failure("sidecar-lost", "gone")), "failed");
  assert.is(endAfter("baseline", failure("permanent", NO_SIDECAR)), "failed");
  assert.is(endAfter("baseline", failure("permanent", "unexpected")), "failed");
  assert.is(endAfter("preflight", failure("permanent", "exit-1")), "failed");
  assert.is(endAfter("closing", failure("permanent", "exit-1")), "failed");
});

test("withoutVerdict() undoes withVerdict() and counts it", async () => {
  const statuses: VerdictStatus[] = ["killed", "survived", "timeout", "error", "skipped"];
  await check(fc.property(fc.constantFrom(...statuses), fc.nat(9), (status, before) => {
    const counts = { ...empty, [status]: before };
    const after = withoutVerdict(withVerdict(counts, status), status);
    assert.equal(after, { ...counts, revoked: 1 });
  }));
});

test("withoutVerdict() never counts below nothing", () => {
  assert.is(withoutVerdict(empty, "killed").killed, 0);
});

test("withTally() replaces the verdicts and leaves what is planned", () => {
  const tally = { ...none, killed: 2, error: 1 };
  assert.equal(withTally({ ...empty, survived: 4 }, tally, 3), {
    planned: 5,
    ...tally,
    revoked: 3,
  });
});
