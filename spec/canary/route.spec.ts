import * as assert from "uvu/assert";
import fc from "fast-check";
import { isJudged } from "../../runtime/canary/assignment.ts";
import { judgedOutcome } from "../../runtime/canary/judged-outcome.ts";
import { route } from "../../runtime/canary/route.ts";
import { streamSnapshot } from "../../runtime/canary/stream-snapshot.ts";
import { isSidecanaryError } from "../../runtime/errors.ts";
import { suite } from "../harness.ts";
import { check } from "../kit/check.ts";

const test = suite("canary/route");

/** `planner`, with a canary at this share. */
function planner(share: number, trial = 1) {
  return streamSnapshot({
    stream: "planner",
    revision: 7,
    current: "planner@v7",
    canary: { version: "planner@v8", trial, share, step: 2 },
  });
}

const quiet = streamSnapshot({
  stream: "planner",
  revision: 7,
  current: "planner@v7",
  canary: null,
});

test("route gives the current version where there is no canary, and no propensity", () => {
  assert.equal(route(quiet, "u1"), {
    stream: "planner",
    unit: "u1",
    version: "planner@v7",
    arm: "current",
    reason: "no-canary",
    candidate: null,
    trial: null,
    step: null,
    propensity: null,
    revision: 7,
  });
});

test("route says on both arms which canary ran and with which propensity it was drawn", () => {
  const snapshot = planner(0.5);
  const arms = new Map<string, number>();
  for (let n = 0; n < 200; n++) {
    const { arm, version, unit, ...rest } = route(snapshot, `u${n}`);
    arms.set(arm, (arms.get(arm) ?? 0) + 1);
    assert.is(version, arm === "canary" ? "planner@v8" : "planner@v7");
    assert.is(unit, `u${n}`);
    assert.equal(rest, {
      stream: "planner",
      reason: "split",
      candidate: "planner@v8",
      trial: 1,
      step: 2,
      propensity: 0.5,
      revision: 7,
    });
  }
  assert.ok((arms.get("canary") ?? 0) > 60 && (arms.get("current") ?? 0) > 60);
});

test("the propensity is the exact part of the hash's range, and units fit it", () => {
  for (const share of [0.05, 0.1, 0.3]) {
    const snapshot = planner(share);
    const { propensity = 0, threshold = 0 } = snapshot.canary ?? {};
    assert.is(propensity, threshold / 2 ** 32);
    assert.ok(Math.abs(propensity - share) < 2 ** -32);
    const units = 20_000;
    let hits = 0;
    for (let n = 0; n < units; n++) if (route(snapshot, `run-${n}`).arm === "canary") hits++;
    const error = Math.sqrt(share * (1 - share) / units);
    assert.ok(Math.abs(hits / units - share) < 4 * error, `${hits} of ${units} at ${share}`);
  }
});

test("a unit that is in stays in while the share rises, whatever the unit", async () => {
  const share = fc.double({ min: 0.001, max: 0.999, noNaN: true });
  await check(
    fc.property(fc.string({ minLength: 1 }), share, share, (unit, a, b) => {
      const [low, high] = [Math.min(a, b), Math.max(a, b)];
      const first = route(planner(low), unit);
      assert.equal(route(planner(low), unit), first);
      if (first.arm === "canary") assert.is(route(planner(high), unit).arm, "canary");
    }),
  );
});

test("another trial, and another stream, try out other units", () => {
  const other = streamSnapshot({
    stream: "writer",
    revision: 1,
    current: "planner@v7",
    canary: { version: "planner@v8", trial: 1, share: 0.5, step: 0 },
  });
  for (const [a, b] of [[planner(0.5), planner(0.5, 2)], [planner(0.5), other]] as const) {
    let same = 0;
    for (let n = 0; n < 1_000; n++) {
      if (route(a, `u${n}`).arm === route(b, `u${n}`).arm) same++;
    }
    assert.ok(same > 420 && same < 580, `${same} of 1000 alike`);
  }
});

test("pins and overrides are honoured, recorded, and kept out of the test", () => {
  const snapshot = planner(0.2);
  const cases = [
    [{ pin: "planner@v3" }, "planner@v3", "other", "pin"],
    [{ pin: "planner@v7" }, "planner@v7", "current", "pin"],
    [{ pin: "planner@v8" }, "planner@v8", "canary", "pin"],
    [{ override: "canary" }, "planner@v8", "canary", "override"],
    [{ override: "current" }, "planner@v7", "current", "override"],
  ] as const;
  for (const [options, version, arm, reason] of cases) {
    const assignment = route(snapshot, "u1", options);
    assert.equal(
      [assignment.version, assignment.arm, assignment.reason, assignment.propensity],
      [version, arm, reason, null],
    );
    assert.is(assignment.candidate, "planner@v8");
    assert.not(isJudged(assignment));
    assert.is(judgedOutcome(assignment, 1), null);
  }
  assert.is(route(quiet, "u1", { override: "canary" }).version, "planner@v7");
  assert.is(judgedOutcome(route(quiet, "u1"), 1), null);
});

test("judgedOutcome takes arm and propensity from the assignment alone", () => {
  const assignment = route(planner(0.5), "u1");
  const { arm } = assignment;
  assert.equal(judgedOutcome(assignment, 0.25), { arm, score: 0.25, propensity: 0.5 });
  assert.equal(judgedOutcome(assignment, 1, 99), {
    arm,
    score: 1,
    propensity: 0.5,
    assignedAt: 99,
  });
});

test("a share of 1 is refused with the reason, and so is one that is none", () => {
  const refusal = (share: number): string => {
    try {
      planner(share);
    } catch (error) {
      assert.ok(isSidecanaryError(error, "input-invalid"));
      assert.is(error.details.field, "share");
      return error.message;
    }
    throw new Error(`${share} was taken`);
  };
  assert.match(refusal(1), /nothing is left to compare it with/);
  for (const share of [0, -0.1, 1.1, Number.NaN, 1e-11, 1 - 1e-11]) {
    assert.match(refusal(share), /share of planner@v8/);
  }
});

test("a canary that is the current version, and an empty unit, are refused", () => {
  assert.throws(
    () =>
      streamSnapshot({
        stream: "planner",
        revision: 1,
        current: "planner@v8",
        canary: { version: "planner@v8", trial: 1, share: 0.1, step: 0 },
      }),
    /current and canary at once/,
  );
  for (const snapshot of [quiet, planner(0.1)]) {
    assert.throws(() => route(snapshot, ""), /unit is empty/);
  }
});
