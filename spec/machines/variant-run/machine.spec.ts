import * as assert from "uvu/assert";
import { suite } from "../../harness.ts";
import { failure, outcome, play, playTo } from "./play.ts";

const test = suite("variant-run/machine");

const phases = ["booting", "syncing", "patching", "testing"] as const;
const portOf = { booting: "lease", syncing: "sync", patching: "patch", testing: "test" } as const;
const release = { campaign: "c1", variant: "v1", generation: 1 };

test("an untroubled run goes booting, syncing, patching, testing, scored", () => {
  const run = play();
  assert.is(run.at, "booting.attempting");
  assert.is(run.done("lease", { sidecar: "s1" }).at, "syncing.attempting");
  assert.is(run.done("sync").at, "patching.attempting");
  assert.is(run.done("patch", { tree: "t1" }).at, "testing.attempting");
  assert.is(run.done("test", outcome("killed")).at, "scored");
  assert.equal(run.snapshot.output, {
    status: "killed",
    reason: null,
    command: "npm test",
    exitCode: 1,
    durationMs: 12,
    sidecar: "s1",
    attempts: 1,
    losses: 0,
  });
  assert.equal(run.effects, [
    { type: "release", params: { ...release, attempt: 1, sidecar: "s1" } },
  ]);
});

test("every port is given the key of its call", () => {
  const run = playTo("testing", { generation: 2 });
  const key = { campaign: "c1", variant: "v1", generation: 2 };
  assert.equal(run.calls, [
    { src: "lease", input: { ...key, attempt: 1, alone: false } },
    { src: "sync", input: { ...key, attempt: 2, sidecar: "s1" } },
    { src: "patch", input: { ...key, attempt: 3, sidecar: "s1" } },
    { src: "test", input: { ...key, attempt: 4, sidecar: "s1", tree: "t1", alone: false } },
  ]);
});

for (const phase of phases) {
  const port = portOf[phase];

  test(`a transient failure in ${phase} waits and is tried again as a new attempt`, () => {
    const run = playTo(phase);
    const before = run.snapshot.context.attempt;
    run.fail(port, failure("transient"));
    assert.is(run.at, `${phase}.waiting`);
    assert.ok(run.snapshot.hasTag("transient"));
    assert.equal([...run.timers.values()], [100]);
    assert.equal(run.of("RETRYING"), [{
      type: "RETRYING",
      campaign: "c1",
      variant: "v1",
      phase,
      attempt: before,
      tries: 1,
      failure: failure("transient"),
      delayMs: 100,
    }]);
    run.fire("backoff");
    assert.is(run.at, `${phase}.attempting`);
    assert.is(run.snapshot.context.attempt, before + 1);
    assert.is(run.invokes.size, 1);
  });

  test(`the last transient failure in ${phase} is scored with its code`, () => {
    const run = playTo(phase);
    for (const delay of [100, 200]) {
      run.fail(port, failure("transient"));
      assert.equal([...run.timers.values()], [delay]);
      run.fire("backoff");
    }
    run.fail(port, failure("transient", "still-refused"));
    assert.is(run.at, "scored");
    assert.is(run.snapshot.output?.status, "error");
    assert.is(run.snapshot.output?.reason, "still-refused");
  });

  test(`a permanent failure in ${phase} is scored at once`, () => {
    const run = playTo(phase).fail(port, failure("permanent", "patch-rejected"));
    assert.is(run.at, "scored");
    assert.is(run.snapshot.output?.status, "error");
    assert.is(run.snapshot.output?.reason, "patch-rejected");
    assert.is(run.of("release").length, phase === "booting" ? 0 : 1);
  });

  test(`a defect in ${phase} is scored as unexpected`, () => {
    const run = playTo(phase).fail(port, { name: "TypeError", message: "x", stack: "at y" });
    assert.is(run.snapshot.output?.reason, "unexpected");
  });

  test(`a sidecar lost in ${phase} leads back to booting and counts`, () => {
    const run = playTo(phase).fail(port, failure("sidecar-lost"));
    assert.is(run.at, "booting.attempting");
    assert.is(run.snapshot.context.losses, 1);
    assert.is(run.snapshot.context.tries, 1);
    assert.is(run.of("release").length, phase === "booting" ? 0 : 1);
  });

  test(`one loss too many in ${phase} is scored as sidecar-lost`, () => {
    const run = playTo(phase, { maxLosses: 0 }).fail(port, failure("sidecar-lost", "ECONNRESET"));
    assert.is(run.at, "scored");
    assert.is(run.snapshot.output?.reason, "sidecar-lost");
    assert.is(run.snapshot.output?.losses, 1);
  });

  for (const state of ["attempting", "waiting"] as const) {
    test(`CANCEL in ${phase}.${state} is scored as skipped, and nothing is left open`, () => {
      const run = playTo(phase);
      if (state === "waiting") run.fail(port, failure("transient"));
      assert.is(run.at, `${phase}.${state}`);
      run.send({ type: "CANCEL", reason: "interrupted" });
      assert.is(run.at, "scored");
      assert.is(run.snapshot.output?.status, "skipped");
      assert.is(run.snapshot.output?.reason, "interrupted");
      assert.is(run.invokes.size + run.timers.size, 0);
    });
  }
}

test("CANCEL while a lease is asked for tells that it is not wanted any more", () => {
  const run = play().send({ type: "CANCEL", reason: "interrupted" });
  assert.equal(run.of("release"), [{ ...release, attempt: 1, sidecar: null }]);
});

test("CANCEL between two tries of a lease has nothing to give back", () => {
  const run = play().fail("lease", failure("transient"));
  run.send({ type: "CANCEL", reason: "interrupted" });
  assert.equal(run.of("release"), []);
});

for (const status of ["timeout", "killed", "survived"] as const) {
  test(`a timeout is confirmed alone, where ${status} counts`, () => {
    const run = playTo("testing").done("test", outcome("timeout"));
    assert.is(run.at, "booting.attempting");
    assert.equal(run.of("release"), [{ ...release, attempt: 1, sidecar: "s1" }]);
    assert.equal(run.invokes.get("lease")?.input.alone, true);
    run.done("lease", { sidecar: "s2" }).done("sync").done("patch", { tree: "t1" });
    assert.equal(run.invokes.get("test")?.input.alone, true);
    run.done("test", outcome(status));
    assert.is(run.snapshot.output?.status, status);
    assert.is(run.snapshot.output?.attempts, 2);
    assert.is(run.snapshot.output?.losses, 0);
    assert.is(run.snapshot.output?.sidecar, "s2");
    assert.equal(run.of("release").at(1), { ...release, attempt: 5, sidecar: "s2" });
  });
}

test("a sidecar lost in the confirming run leaves the run alone", () => {
  const run = playTo("testing").done("test", outcome("timeout"));
  run.done("lease", { sidecar: "s2" }).fail("sync", failure("sidecar-lost"));
  assert.is(run.invokes.get("lease")?.input.alone, true);
});

test("an error outcome keeps its reason, and has one in any case", () => {
  const named = playTo("testing").done("test", outcome("error", "zero-tests"));
  assert.is(named.snapshot.output?.reason, "zero-tests");
  const bare = playTo("testing").done("test", outcome("error"));
  assert.is(bare.snapshot.output?.reason, "unexplained");
});

test("a transient failure of the commands keeps the lease and the tree, and counts a run more", () => {
  const run = playTo("testing").fail("test", failure("transient", "reset"));
  assert.is(run.at, "testing.waiting");
  assert.equal(run.snapshot.context.lease, { attempt: 1, sidecar: "s1" });
  run.fire("backoff");
  assert.equal(run.invokes.get("test")?.input, {
    ...release,
    attempt: 5,
    sidecar: "s1",
    tree: "t1",
    alone: false,
  });
  assert.equal(run.of("release"), []);
  run.done("test", outcome("killed"));
  assert.is(run.snapshot.output?.status, "killed");
  assert.is(run.snapshot.output?.attempts, 2);
  assert.is(run.snapshot.output?.losses, 0);
  assert.equal(run.of("release"), [{ ...release, attempt: 1, sidecar: "s1" }]);
});

test("LOST while the commands wait for another try books another sidecar", () => {
  const run = playTo("testing").fail("test", failure("transient", "reset"));
  run.send({ type: "LOST", sidecar: "s1", failure: failure("sidecar-lost", "reset") });
  assert.is(run.at, "booting.attempting");
  assert.equal([...run.timers.keys()], []);
  assert.equal(run.of("release"), [{ ...release, attempt: 1, sidecar: "s1" }]);
  run.done("lease", { sidecar: "s2" }).done("sync").done("patch", { tree: "t1" });
  run.done("test", outcome("survived"));
  const { status, sidecar, attempts, losses } = run.snapshot.output ?? {};
  assert.equal([status, sidecar, attempts, losses], ["survived", "s2", 2, 1]);
});

test("LOST of the leased sidecar rebooks at once, from waiting too", () => {
  for (const phase of ["syncing", "patching", "testing"] as const) {
    const run = playTo(phase).fail(portOf[phase], failure("transient"));
    run.send({ type: "LOST", sidecar: "s1", failure: failure("transient") });
    assert.is(run.at, "booting.attempting");
    assert.is(run.snapshot.context.losses, 1);
    assert.is(run.timers.size, 0);
  }
});

test("LOST of the leased sidecar within no more losses is scored", () => {
  const run = playTo("testing", { maxLosses: 0 });
  run.send({ type: "LOST", sidecar: "s1", failure: failure("sidecar-lost") });
  assert.is(run.snapshot.output?.reason, "sidecar-lost");
});

test("LOST of another sidecar, or of none, changes nothing", () => {
  const lost = { type: "LOST", sidecar: "s0", failure: failure("sidecar-lost") } as const;
  assert.is(playTo("testing").send(lost).at, "testing.attempting");
  assert.is(play().send(lost).at, "booting.attempting");
});

test("the wait is not shorter than the failure asks for", () => {
  const run = play().fail("lease", { ...failure("transient"), retryAfterMs: 6_000 });
  assert.equal([...run.timers.values()], [6_000]);
  assert.is(run.of("RETRYING")[0]?.delayMs, 6_000);
});

test("the history keeps the last five failures", () => {
  const run = play({ maxLosses: 9 });
  for (let loss = 1; loss <= 7; loss++) run.fail("lease", failure("sidecar-lost", `loss-${loss}`));
  assert.equal(
    run.snapshot.context.history.map(({ attempt, failure: { code } }) => [attempt, code]),
    [[3, "loss-3"], [4, "loss-4"], [5, "loss-5"], [6, "loss-6"], [7, "loss-7"]],
  );
});
