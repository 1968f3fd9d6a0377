import * as assert from "uvu/assert";
import { suite } from "../../harness.ts";
import { baseline, failure, none, playTo } from "./play.ts";

const test = suite("campaign/machine");

const phases = ["preflight", "baseline", "running", "closing"] as const;
const closed = { void: false, reason: null };
const cancel = { type: "CANCEL", reason: "interrupted" } as const;

test("an untroubled campaign goes preflight, baseline, running, closing, finished", () => {
  const campaign = playTo("preflight");
  assert.is(campaign.at, "preflight.attempting");
  campaign.done("preflight", { planned: 2, rejected: { ...none, error: 1 } });
  assert.is(campaign.at, "baseline.attempting");
  assert.is(campaign.done("baseline", baseline).at, "running");
  campaign.send({ type: "VERDICT", variant: "v1", status: "killed" });
  campaign.send({ type: "VERDICT", variant: "v2", status: "survived" });
  assert.is(campaign.send({ type: "POOL_DONE" }).at, "closing.attempting");
  assert.is(campaign.done("close", closed).at, "finished");
  assert.equal(campaign.snapshot.output, {
    end: "complete",
    counts: { planned: 2, ...none, killed: 1, survived: 1, error: 1, revoked: 0 },
    reason: null,
  });
});

test("every port is given the key of its call and what it works with", () => {
  assert.equal(playTo("closing").calls, [
    { src: "preflight", input: { campaign: "c1", attempt: 1 } },
    { src: "baseline", input: { campaign: "c1", attempt: 2 } },
    { src: "pool", input: { campaign: "c1", planned: 2, baseline } },
    { src: "close", input: { campaign: "c1", attempt: 3, end: "complete" } },
  ]);
});

test("a campaign with nothing planned goes straight to closing", () => {
  const campaign = playTo("preflight").done("preflight", { planned: 0, rejected: none });
  assert.is(campaign.at, "closing.attempting");
  assert.is(campaign.done("close", closed).snapshot.output?.end, "complete");
});

test("REVOKED takes a verdict back and counts it", () => {
  const campaign = playTo("running");
  campaign.send({ type: "VERDICT", variant: "v1", status: "killed" });
  campaign.send({ type: "REVOKED", variant: "v1", status: "killed" });
  campaign.send({ type: "VERDICT", variant: "v1", status: "survived" });
  assert.equal(campaign.snapshot.context.counts, {
    planned: 2,
    ...none,
    survived: 1,
    error: 1,
    revoked: 1,
  });
});

test("TALLY replaces what was counted, however often it comes", () => {
  const campaign = playTo("running");
  campaign.send({ type: "VERDICT", variant: "v1", status: "killed" });
  const tally = { type: "TALLY", counts: { ...none, killed: 1, error: 1 }, revoked: 2 } as const;
  campaign.send(tally).send(tally);
  assert.equal(campaign.snapshot.context.counts, {
    planned: 2,
    ...none,
    killed: 1,
    error: 1,
    revoked: 2,
  });
});

for (const phase of ["preflight", "baseline", "closing"] as const) {
  const port = phase === "closing" ? "close" : phase;

  test(`a transient failure in ${phase} waits and is tried again`, () => {
    const campaign = playTo(phase);
    const { attempt } = campaign.snapshot.context;
    campaign.fail(port, failure("transient"));
    assert.is(campaign.at, `${phase}.waiting`);
    assert.ok(campaign.snapshot.hasTag("transient"));
    assert.equal([...campaign.timers.values()], [100]);
    assert.equal(campaign.of("RETRYING"), [{
      type: "RETRYING",
      campaign: "c1",
      phase,
      attempt,
      tries: 1,
      failure: failure("transient"),
      delayMs: 100,
    }]);
    assert.is(campaign.fire("backoff").invokes.get(port)?.input.attempt, attempt + 1);
  });
}

test("a preflight that fails ends the campaign as failed, through closing", () => {
  const campaign = playTo("preflight").fail("preflight", failure("permanent", "payload-failed"));
  assert.equal(campaign.invokes.get("close")?.input.end, "failed");
  assert.equal(campaign.done("close", closed).snapshot.output?.reason, "payload-failed");
});

test("a baseline that fails ends the campaign as baseline-failed, through closing", () => {
  const campaign = playTo("baseline").fail("baseline", failure("permanent", "exit-1"));
  assert.equal(campaign.invokes.get("close")?.input.end, "baseline-failed");
  campaign.done("close", closed);
  assert.is(campaign.snapshot.output?.end, "baseline-failed");
  assert.is(campaign.snapshot.output?.reason, "exit-1");
});

test("a baseline that keeps failing in passing gives up after the last try", () => {
  const campaign = playTo("baseline");
  for (let wait = 0; wait < 2; wait++) {
    campaign.fail("baseline", failure("transient")).fire("backoff");
  }
  campaign.fail("baseline", failure("transient"));
  assert.equal(campaign.invokes.get("close")?.input.end, "failed");
});

test("a pool that gives up, or breaks, ends the campaign as failed", () => {
  const gaveUp = playTo("running").send({
    type: "POOL_FAILED",
    failure: failure("permanent", "no-sidecars"),
  });
  assert.is(gaveUp.done("close", closed).snapshot.output?.reason, "no-sidecars");
  const broke = playTo("running").fail("pool", new Error("boom"));
  assert.is(broke.done("close", closed).snapshot.output?.end, "failed");
  assert.is(broke.snapshot.output?.reason, "unexpected");
});

test("a closing control that fails makes a complete campaign void", () => {
  const campaign = playTo("closing").done("close", { void: true, reason: "control-survived" });
  assert.is(campaign.snapshot.output?.end, "void");
  assert.is(campaign.snapshot.output?.reason, "control-survived");
});

test("a void run does not hide an earlier end", () => {
  const campaign = playTo("baseline").fail("baseline", failure("permanent", "exit-1"));
  campaign.done("close", { void: true, reason: "control-survived" });
  assert.is(campaign.snapshot.output?.end, "baseline-failed");
});

test("a close that gives up makes a complete campaign failed, and leaves any other end", () => {
  const complete = playTo("closing").fail("close", failure("permanent", "disk-full"));
  assert.equal(complete.snapshot.output?.end, "failed");
  assert.equal(complete.snapshot.output?.reason, "disk-full");
  const cancelled = playTo("running").send(cancel).fail("close", failure("permanent", "disk-full"));
  assert.equal(cancelled.snapshot.output?.end, "cancelled");
  assert.equal(cancelled.snapshot.output?.reason, "interrupted");
});

for (const phase of phases) {
  test(`CANCEL in ${phase} cleans up and finishes as cancelled`, () => {
    const campaign = playTo(phase).send(cancel);
    assert.is(campaign.at, "closing.attempting");
    assert.equal([...campaign.invokes.keys()], ["close"]);
    assert.equal(campaign.invokes.get("close")?.input.end, "cancelled");
    campaign.done("close", closed);
    assert.is(campaign.snapshot.output?.end, "cancelled");
    assert.is(campaign.snapshot.output?.reason, "interrupted");
  });
}

test("CANCEL while a clean-up runs does not start it again", () => {
  const campaign = playTo("running").send(cancel);
  const calls = campaign.calls.length;
  campaign.send({ type: "CANCEL", reason: "again" });
  assert.is(campaign.calls.length, calls);
  assert.is(campaign.done("close", closed).snapshot.output?.reason, "interrupted");
});

test("a pool's late events change nothing once it is closing", () => {
  const campaign = playTo("closing");
  const before = campaign.snapshot.context;
  campaign.send({ type: "VERDICT", variant: "v1", status: "killed" });
  campaign.send({ type: "POOL_DONE" });
  assert.equal(campaign.snapshot.context, before);
});
