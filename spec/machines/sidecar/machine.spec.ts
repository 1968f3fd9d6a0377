import * as assert from "uvu/assert";
import { sidecarMachine } from "../../../machines/mod.ts";
import { suite } from "../../harness.ts";
import { PureActor } from "../../kit/pure-actor.ts";
import {
  disconnected,
  failure,
  play,
  playLeased,
  playReady,
  playReattaching,
  playSyncing,
} from "./play.ts";

const test = suite("sidecar/machine");

const gone = failure("sidecar-lost", "ECONNRESET");
const lost = { type: "LOST", failure: gone } as const;

test("a sidecar goes booting, syncing, ready, leased, ready, draining, stopped", () => {
  const sidecar = play();
  assert.is(sidecar.at, "booting.attempting");
  assert.is(sidecar.done("boot", { endpoint: { port: 22 } }).at, "syncing.attempting");
  assert.is(sidecar.done("sync").at, "up.lease.ready|connection.attached");
  assert.is(sidecar.send({ type: "LEASE", by: "run-1" }).at, "up.lease.leased|connection.attached");
  assert.is(sidecar.snapshot.context.lease, "run-1");
  assert.is(
    sidecar.send({ type: "RELEASE", by: "run-1" }).at,
    "up.lease.ready|connection.attached",
  );
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
  const sidecar = playReady().send(disconnected).done("attach").send({ type: "DRAIN" });
  const key = { sidecar: "sc-1", spec: { image: "base" } };
  const endpoint = { port: 22 };
  assert.equal(sidecar.calls, [
    { src: "boot", input: { ...key, attempt: 1, since: 1, fresh: false } },
    { src: "sync", input: { ...key, endpoint, attempt: 2 } },
    { src: "watch", input: { ...key, endpoint } },
    { src: "attach", input: { ...key, endpoint, attempt: 3 } },
    { src: "destroy", input: { ...key, endpoint, attempt: 4 } },
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
  assert.is(sidecar.at, "up.lease.leased|connection.attached");
  assert.is(sidecar.snapshot.context.lease, "run-1");
});

test("LEASE is ignored unless the sidecar is ready", () => {
  const lease = { type: "LEASE", by: "run-2" } as const;
  const all = [
    play(),
    playSyncing(),
    playReady().send(lost),
    playReady().send(disconnected),
    playReady().send({ type: "DRAIN" }),
  ];
  for (const sidecar of all) {
    const before = sidecar.at;
    assert.is(sidecar.send(lease).at, before);
    assert.is(sidecar.snapshot.context.lease, null);
  }
});

test("RELEASE by another is ignored", () => {
  assert.is(
    playLeased().send({ type: "RELEASE", by: "run-2" }).at,
    "up.lease.leased|connection.attached",
  );
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
    sidecar.of("RETRYING"),
    [{
      type: "RETRYING",
      sidecar: "sc-1",
      phase: "booting",
      attempt: 1,
      tries: 1,
      failure: failure("transient"),
      delayMs: 100,
    }],
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
    sidecar.send(lost).fire("restart").done("boot", { endpoint: { port: 22 } }).done("sync");
  }
  sidecar.send({ type: "LEASE", by: "run-1" }).send(lost);
  assert.is(sidecar.at, "draining.destroying.attempting");
  assert.is(sidecar.of("SIDECAR_LOST").at(-1)?.by, "run-1");
  assert.is(sidecar.done("destroy").snapshot.output?.reason, "sidecar-lost");
});

test("losses are forgotten once it has stayed up for the quiet time, leases or not", () => {
  const sidecar = playReady().send(lost).fire("restart");
  sidecar.done("boot", { endpoint: null }).done("sync");
  sidecar.send({ type: "LEASE", by: "run-1" });
  assert.equal([...sidecar.timers.values()], [60_000]);
  assert.is(sidecar.snapshot.context.restarts, 1);
  sidecar.fire("quiet");
  assert.is(sidecar.at, "up.lease.leased|connection.attached");
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

test("boot is told to make a new one after a loss, until the losses are forgotten", () => {
  const sidecar = play();
  const asked = () => {
    const { attempt, since, fresh } = sidecar.invokes.get("boot")?.input ?? {};
    return [attempt, since, fresh];
  };
  sidecar.fail("boot", failure("transient")).fire("backoff");
  assert.equal(asked(), [2, 1, false]);
  sidecar.done("boot", { endpoint: { port: 22 } }).done("sync").send(lost).fire("restart");
  assert.equal(asked(), [4, 4, true]);
  sidecar.fail("boot", failure("transient")).fire("backoff");
  assert.equal(asked(), [5, 4, true]);
  sidecar.done("boot", { endpoint: { port: 22 } }).done("sync").fire("quiet").send(lost);
  sidecar.fire("restart");
  assert.equal(asked(), [7, 7, true]);
});

test("the endpoint of a lost sidecar is not the one that is destroyed", () => {
  const sidecar = playReady().send(lost).fire("restart").send({ type: "DRAIN" });
  assert.is(sidecar.invokes.get("destroy")?.input.endpoint, null);
});

test("the wait is not shorter than the failure asks for", () => {
  const punished = { ...failure("transient", "authentication"), retryAfterMs: 6_000 };
  const booting = play().fail("boot", punished);
  const syncing = playSyncing().fail("sync", punished);
  const attaching = playReattaching().fail("attach", punished);
  for (const sidecar of [booting, syncing, attaching]) {
    assert.is(sidecar.of("RETRYING")[0]?.delayMs, 6_000);
    assert.ok([...sidecar.timers.values()].includes(6_000));
  }
});

test("without policies, boot has 12 tries, sync 5, attach and destroy 3", () => {
  const { retry, syncRetry, reattachRetry, destroyRetry } = new PureActor(sidecarMachine, {
    sidecar: "sc-1",
    spec: null,
  }).snapshot.context;
  assert.equal(
    [retry, syncRetry, reattachRetry, destroyRetry].map(({ maxAttempts }) => maxAttempts),
    [12, 5, 3, 3],
  );
});
