import * as assert from "uvu/assert";
import type { CanaryVersionInput } from "../../../machines/mod.ts";
import { suite } from "../../harness.ts";
import { announced, decided, play, playCanary, told } from "./play.ts";

const test = suite("canary-version/machine");

test("a published version says that it waits; a stream's first one does not", () => {
  assert.equal(announced(play()), ["candidate.awaiting_promotion"]);
  assert.equal(play().effects[0]?.params, {
    type: "candidate.awaiting_promotion",
    stream: "planner",
    version: "planner@v7",
    trial: 0,
    from: null,
    to: "pending",
    by: "person:ann",
    reason: "published",
    evidence: null,
  });
  const first = play({ first: true, watchMs: 1_000 });
  assert.equal(announced(first), []);
  assert.is(first.send(told("START")).at, "pending");
  assert.is(first.send(told("PROMOTE")).at, "current.settled");
  assert.equal(announced(first), ["candidate.promoted"]);
});

test("DECIDE ends a canary by the verdict, with the judge's evidence", () => {
  const rejected = playCanary().send(decided("reject"));
  assert.is(rejected.at, "rejected");
  assert.equal(rejected.of("candidate.rolled_back"), [{
    type: "candidate.rolled_back",
    stream: "planner",
    version: "planner@v7",
    trial: 1,
    from: "canary",
    to: "rejected",
    by: "judge:betting",
    reason: "e >= 20",
    evidence: { e: 21 },
  }]);
  assert.equal(rejected.snapshot.output, {
    stream: "planner",
    version: "planner@v7",
    end: "rejected",
    by: "judge:betting",
    reason: "e >= 20",
    evidence: { e: 21 },
  });
  const promoted = playCanary().send(decided("promote"));
  assert.is(promoted.at, "current.settled");
  assert.is(promoted.of("candidate.auto_promoted").length, 1);
});

test("DECIDE of another trial changes nothing", () => {
  for (const trial of [0, 2]) {
    assert.is(playCanary().send(decided("reject", trial)).at, "canary.sampling");
  }
});

test("a person promotes and rejects pending versions and canaries", () => {
  for (const make of [play, playCanary]) {
    assert.is(make().send(told("PROMOTE")).at, "current.settled");
    const rejected = make().send(told("REJECT"));
    assert.is(rejected.at, "rejected");
    assert.is(announced(rejected).at(-1), "candidate.rejected");
  }
});

test("a held canary can be rejected, and a promotion waits for RESUME", () => {
  const held = () => playCanary().send(told("HOLD"));
  assert.is(held().at, "canary.held");
  assert.is(held().send(decided("reject")).at, "rejected");
  assert.is(held().send(told("REJECT")).at, "rejected");
  assert.is(held().send(told("PROMOTE")).at, "current.settled");
  assert.is(held().send(told("RESUME")).at, "canary.sampling");
  const waits = held().send(decided("promote"));
  assert.is(waits.at, "canary.held");
  assert.equal(announced(waits).slice(2), ["candidate.held"]);
  waits.send(told("RESUME"));
  assert.is(waits.at, "current.settled");
  const [announcement] = waits.of("candidate.auto_promoted");
  assert.is(announcement?.["by"], "judge:betting");
  assert.equal(announcement?.["evidence"], { e: 21 });
});

test("a canary that the judge holds is still promoted by it, until a person holds it", () => {
  const held = () => playCanary().send(decided("hold"));
  assert.is(held().at, "canary.held");
  assert.is(held().send(decided("promote")).at, "current.settled");
  const byPerson = held().send(told("HOLD"));
  assert.is(byPerson.send(decided("promote")).at, "canary.held");
  assert.is(byPerson.send(told("HOLD")).of("candidate.held").length, 2, "said once a hold");
});

test("a hold does not touch the timer of the expiry", () => {
  const canary = playCanary();
  assert.equal([...canary.timers.values()], [60_000]);
  canary.send(told("HOLD")).send(told("RESUME")).send(told("HOLD"));
  assert.is(canary.timers.size, 1);
  canary.fire("expiry");
  assert.is(canary.at, "rejected");
  const { by, reason, to } = canary.of("candidate.expired")[0] ?? {};
  assert.equal([by, reason, to], ["timer", "expired", "rejected"]);
  assert.is(canary.timers.size, 0);
});

test("a canary that expires keeps the evidence that the judge held it with", () => {
  const canary = playCanary().send(decided("hold")).fire("expiry");
  assert.equal(canary.of("candidate.expired")[0]?.["evidence"], { e: 21 });
});

test("EXPIRE and SUPERSEDE reject a canary with that reason", () => {
  const expired = playCanary().send(told("EXPIRE"));
  assert.is(expired.at, "rejected");
  assert.equal(announced(expired).slice(2), ["candidate.expired"]);
  const superseded = playCanary().send(told("SUPERSEDE"));
  assert.is(superseded.at, "rejected");
  assert.is(superseded.snapshot.output?.reason, "because of SUPERSEDE");
});

test("a policy that shelves makes a canary pending again, and START begins another trial", () => {
  const expired = playCanary({ onExpire: "shelve" }).send(told("EXPIRE"));
  assert.is(expired.at, "pending");
  assert.is(expired.of("candidate.expired")[0]?.["to"], "pending");
  expired.send(told("START"));
  assert.is(expired.snapshot.context.trial, 2);
  assert.is(expired.send(decided("reject", 1)).at, "canary.sampling");
  assert.is(expired.send(told("HOLD", 1)).at, "canary.sampling");
  assert.is(expired.send(decided("reject", 2)).at, "rejected");
  const superseded = playCanary({ onSupersede: "shelve" }).send(told("SUPERSEDE"));
  assert.is(superseded.at, "pending");
  assert.is(superseded.timers.size, 0);
  assert.is(announced(superseded).at(-1), "candidate.awaiting_promotion");
});

test("a pending version outlives SUPERSEDE and EXPIRE", () => {
  assert.is(play().send(told("SUPERSEDE")).send(told("EXPIRE")).at, "pending");
});

test("a promoted version is watched where a window is given", () => {
  const watched = () => playCanary({ watchMs: 5_000 }).send(decided("promote"));
  assert.is(watched().at, "current.watching");
  assert.equal([...watched().timers.values()], [5_000]);
  const settled = watched().fire("watch");
  assert.is(settled.at, "current.settled");
  assert.equal(settled.of("candidate.settled").map(({ reason }) => reason), ["watched"]);
  const regressed = watched().send(told("REGRESS"));
  assert.is(regressed.at, "current.regressed");
  assert.is(regressed.timers.size, 0);
  assert.is(announced(regressed).at(-1), "candidate.regressed");
  assert.is(settled.send(told("REGRESS")).at, "current.settled");
  for (const actor of [watched(), settled, regressed]) {
    assert.is(actor.send(told("SUPERSEDE")).at, "superseded");
  }
});

test("a canary that would never expire, and times that are none, are refused", () => {
  const refusal = (input: Partial<CanaryVersionInput>) => String(play(input).snapshot.error);
  for (const expireMs of [0, -1, Number.NaN, Infinity]) {
    assert.match(refusal({ expireMs }), /expireMs of planner@v7/);
  }
  for (const watchMs of [-1, Number.NaN, Infinity]) {
    assert.match(refusal({ watchMs }), /watchMs of planner@v7/);
  }
});
