import * as assert from "uvu/assert";
import { suite } from "../../harness.ts";
import { failure, play, playLeased, playReady } from "./play.ts";

const test = suite("sidecar/machine");

const gone = failure("sidecar-lost", "ECONNRESET");
const lost = { type: "LOST", failure: gone } as const;

test("a sidecar goes booting, ready, leased, ready, draining, stopped", () => {
  const sidecar = play();
  assert.is(sidecar.at, "booting.attempting");
  assert.is(sidecar.done("boot", { endpoint: { port: 22 } }).at, "up.ready");
  assert.is(sidecar.send({ type: "LEASE", by: "run-1" }).at, "up.leased");
  assert.is(sidecar.snapshot.context.lease, "run-1");
  assert.is(sidecar.send({ type: "RELEASE", by: "run-1" }).at, "up.ready");
  assert.is(sidecar.snapshot.context.lease, null);
  assert.is(sidecar.send({ type: "DRAIN" }).at, "draining.destroying.attempting");
  assert.is(sidecar.done("destroy").at, "stopped");
  assert.equal(sidecar.snapshot.output, {
    sidecar: "sc-1",
    destroyed: true,
    reason: "drained",
    cause: null,
    failure: null,
  });
});

test("every port is given the sidecar, its spec and what boot answered", () => {
  const sidecar = playReady().send({ type: "DRAIN" });
  const key = { sidecar: "sc-1", spec: { image: "base" } };
  const endpoint = { port: 22 };
  assert.equal(sidecar.calls, [
    { src: "boot", input: { ...key, attempt: 1 } },
    { src: "watch", input: { ...key, endpoint } },
    { src: "destroy", input: { ...key, endpoint, attempt: 2 } },
  ]);
});

test("one watch lives through leases", () => {
  const sidecar = playReady();
  for (const by of ["run-1", "run-2"]) {
    sidecar.send({ type: "LEASE", by });
    assert.ok(sidecar.invokes.has("watch"));
    sidecar.send({ type: "RELEASE", by });
  }
  assert.is(sidecar.calls.filter(({ src }) => src === "watch").length, 1);
});

test("LEASE by the holder changes nothing, by another is refused", () => {
  const sidecar = playLeased();
  sidecar.send({ type: "LEASE", by: "run-1" }).send({ type: "LEASE", by: "run-2" });
  assert.is(sidecar.at, "up.leased");
  assert.is(sidecar.snapshot.context.lease, "run-1");
});

test("LEASE is ignored unless the sidecar is ready", () => {
  const lease = { type: "LEASE", by: "run-2" } as const;
  for (const sidecar of [play(), playReady().send(lost), playReady().send({ type: "DRAIN" })]) {
    const before = sidecar.at;
    assert.is(sidecar.send(lease).at, before);
    assert.is(sidecar.snapshot.context.lease, null);
  }
});

test("RELEASE by another is ignored", () => {
  assert.is(playLeased().send({ type: "RELEASE", by: "run-2" }).at, "up.leased");
  const draining = playLeased().send({ type: "DRAIN" }).send({ type: "RELEASE", by: "run-2" });
  assert.is(draining.at, "draining.returning");
});

test("DRAIN of a leased sidecar waits for RELEASE, and still watches", () => {
  const sidecar = playLeased().send({ type: "DRAIN" });
  assert.is(sidecar.at, "draining.returning");
  assert.ok(sidecar.invokes.has("watch"));
  assert.equal([...sidecar.timers.values()], [5_000]);
  sidecar.send({ type: "RELEASE", by: "run-1" });
  assert.is(sidecar.at, "draining.destroying.attempting");
  assert.is(sidecar.timers.size, 0);
});

test("DRAIN of a leased sidecar waits no longer than the grace", () => {
  const sidecar = playLeased().send({ type: "DRAIN" }).fire("grace");
  assert.is(sidecar.at, "draining.destroying.attempting");
  assert.is(sidecar.snapshot.context.lease, null);
});

test("a sidecar lost while it drains is destroyed at once", () => {
  const sidecar = playLeased().send({ type: "DRAIN" }).send(lost);
  assert.is(sidecar.at, "draining.destroying.attempting");
  assert.is(sidecar.done("destroy").snapshot.output?.reason, "drained");
});

test("DRAIN destroys what is still booting, in case it exists already", () => {
  for (const sidecar of [play(), play().fail("boot", failure("transient"))]) {
    sidecar.send({ type: "DRAIN" });
    assert.equal(sidecar.invokes.get("destroy")?.input.endpoint, null);
    assert.equal([...sidecar.invokes.keys()], ["destroy"]);
    assert.is(sidecar.timers.size, 0);
  }
});

test("a transient failure of boot waits and is tried again", () => {
  const sidecar = play().fail("boot", failure("transient"));
  assert.is(sidecar.at, "booting.waiting");
  assert.ok(sidecar.snapshot.hasTag("transient"));
  assert.equal([...sidecar.timers.values()], [100]);
  assert.equal(
    sidecar.of("RETRYING").map(({ phase, attempt, delayMs }) => [phase, attempt, delayMs]),
    [
      ["booting", 1, 100],
    ],
  );
  assert.is(sidecar.fire("backoff").invokes.get("boot")?.input.attempt, 2);
});

test("a sidecar that does not boot is given up, and destroyed all the same", () => {
  const refused = failure("transient", "ECONNREFUSED");
  const worn = play().fail("boot", refused).fire("backoff").fail("boot", refused);
  worn.fire("backoff").fail("boot", refused);
  for (const sidecar of [worn, play().fail("boot", failure("permanent", "ECONNREFUSED"))]) {
    assert.is(sidecar.at, "draining.destroying.attempting");
    sidecar.done("destroy");
    assert.is(sidecar.snapshot.output?.destroyed, true);
    assert.is(sidecar.snapshot.output?.reason, "ECONNREFUSED");
    assert.is(sidecar.snapshot.output?.cause?.message, "The port says ECONNREFUSED");
  }
});

test("LOST waits and boots again, and the lease is void", () => {
  const sidecar = playLeased().send(lost);
  assert.is(sidecar.at, "lost");
  assert.ok(sidecar.snapshot.hasTag("transient"));
  assert.is(sidecar.snapshot.context.lease, null);
  assert.equal([...sidecar.timers.values()], [100]);
  assert.equal(sidecar.of("SIDECAR_LOST"), [
    { type: "SIDECAR_LOST", sidecar: "sc-1", by: "run-1", failure: gone },
  ]);
  assert.is(sidecar.fire("restart").at, "booting.attempting");
  assert.is(sidecar.send({ type: "RELEASE", by: "run-1" }).at, "booting.attempting");
});

test("a watch that breaks has lost the sidecar", () => {
  const sidecar = playLeased().fail("watch", new Error("boom"));
  assert.is(sidecar.at, "lost");
  assert.is(sidecar.snapshot.context.failure?.code, "unexpected");
});

test("a sidecar lost in boot counts as a restart", () => {
  const sidecar = play().fail("boot", gone);
  assert.is(sidecar.at, "lost");
  assert.is(sidecar.snapshot.context.restarts, 1);
});

test("one loss more than the limit destroys the sidecar", () => {
  const sidecar = playReady();
  for (let loss = 1; loss <= 2; loss++) {
    sidecar.send(lost).fire("restart").done("boot", { endpoint: { port: 22 } });
  }
  sidecar.send({ type: "LEASE", by: "run-1" }).send(lost);
  assert.is(sidecar.at, "draining.destroying.attempting");
  assert.is(sidecar.of("SIDECAR_LOST").at(-1)?.by, "run-1");
  assert.is(sidecar.done("destroy").snapshot.output?.reason, "sidecar-lost");
});

test("losses are forgotten once it has stayed up for the quiet time, leases or not", () => {
  const sidecar = playReady().send(lost).fire("restart").done("boot", { endpoint: null });
  sidecar.send({ type: "LEASE", by: "run-1" });
  assert.equal([...sidecar.timers.values()], [60_000]);
  assert.is(sidecar.snapshot.context.restarts, 1);
  sidecar.fire("quiet");
  assert.is(sidecar.at, "up.leased");
  assert.is(sidecar.snapshot.context.restarts, 0);
});

test("DRAIN of a lost sidecar destroys it", () => {
  const sidecar = playReady().send(lost).send({ type: "DRAIN" });
  assert.is(sidecar.at, "draining.destroying.attempting");
  assert.is(sidecar.timers.size, 0);
});

test("a destroy that fails for good is reported with its failure", () => {
  const sidecar = playReady().send({ type: "DRAIN" }).fail("destroy", failure("permanent", "403"));
  assert.is(sidecar.at, "stopped");
  assert.equal(sidecar.snapshot.output, {
    sidecar: "sc-1",
    destroyed: false,
    reason: "drained",
    cause: null,
    failure: failure("permanent", "403"),
  });
});

test("a destroy is tried again while its failures are transient, then reported", () => {
  const sidecar = playReady().send({ type: "DRAIN" });
  for (const delay of [100, 200]) {
    sidecar.fail("destroy", failure("transient"));
    assert.is(sidecar.at, "draining.destroying.waiting");
    assert.ok(sidecar.snapshot.hasTag("transient"));
    assert.equal([...sidecar.timers.values()], [delay]);
    sidecar.fire("backoff");
  }
  sidecar.fail("destroy", failure("transient"));
  assert.is(sidecar.snapshot.output?.destroyed, false);
});
