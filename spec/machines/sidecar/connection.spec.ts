import * as assert from "uvu/assert";
import { suite } from "../../harness.ts";
import { disconnected, failure, playLeased, playReady, playReattaching, steady } from "./play.ts";

const test = suite("sidecar/connection");

const lost = { type: "LOST", failure: failure("sidecar-lost", "ECONNRESET") } as const;

const at = {
  ready: "up.lease.ready|connection.attached",
  leased: "up.lease.leased|connection.attached",
  attaching: "up.lease.leased|connection.reattaching.attempting",
  waiting: "up.lease.leased|connection.reattaching.waiting",
} as const;

test("DISCONNECTED dials again, and the lease is kept", () => {
  const sidecar = playReattaching();
  assert.is(sidecar.at, at.attaching);
  assert.is(sidecar.snapshot.context.failure?.code, "reset");
  assert.equal([...sidecar.invokes.keys()].sort(), ["attach", "watch"]);
  assert.is(sidecar.done("attach").at, at.leased);
  assert.is(sidecar.snapshot.context.lease, "run-1");
  assert.is(sidecar.snapshot.context.failure, null);
  assert.equal(sidecar.effects, []);
});

test("one watch lives through reattaching", () => {
  const sidecar = playReattaching().fail("attach", failure("transient")).fire("backoff");
  sidecar.done("attach").send(disconnected).done("attach");
  assert.ok(sidecar.invokes.has("watch"));
  assert.is(sidecar.calls.filter(({ src }) => src === "watch").length, 1);
});

test("a transient failure of attach waits and is tried again, by a policy of its own", () => {
  const sidecar = playReattaching({ reattachRetry: { ...steady, baseMs: 30 } });
  sidecar.fail("attach", failure("transient"));
  assert.is(sidecar.at, at.waiting);
  assert.ok(sidecar.snapshot.hasTag("transient"));
  assert.equal([...sidecar.timers.values()], [60_000, 30]);
  assert.equal(
    sidecar.of("RETRYING").map(({ phase, attempt, tries, delayMs }) => [
      phase,
      attempt,
      tries,
      delayMs,
    ]),
    [["reattaching", 3, 1, 30]],
  );
  sidecar.fire("backoff");
  assert.is(sidecar.invokes.get("attach")?.input.attempt, 4);
});

test("tries are counted anew when the connection has stood meanwhile", () => {
  const sidecar = playReattaching();
  for (let drop = 1; drop <= 5; drop++) {
    sidecar.fail("attach", failure("transient")).fire("backoff").done("attach");
    sidecar.send(disconnected);
  }
  assert.is(sidecar.at, at.attaching);
  assert.is(sidecar.snapshot.context.tries, 1);
});

test("an attach that does not succeed has lost the sidecar, and the lease is void", () => {
  const refused = failure("transient", "refused");
  const worn = playReattaching().fail("attach", refused).fire("backoff").fail("attach", refused);
  worn.fire("backoff").fail("attach", refused);
  const all = [
    worn,
    playReattaching().fail("attach", failure("permanent", "refused")),
    playReattaching().fail("attach", failure("sidecar-lost", "refused")),
  ];
  for (const sidecar of all) {
    assert.is(sidecar.at, "lost");
    assert.is(sidecar.snapshot.context.lease, null);
    assert.equal([...sidecar.invokes.keys()], []);
    assert.equal([...sidecar.timers.values()], [100]);
    assert.equal(sidecar.of("SIDECAR_LOST"), [{
      type: "SIDECAR_LOST",
      sidecar: "sc-1",
      by: "run-1",
      failure: failure("sidecar-lost", "refused"),
    }]);
    assert.is(sidecar.fire("restart").invokes.get("boot")?.input.fresh, true);
  }
});

test("an attach that fails for good beyond the restart limit destroys the sidecar", () => {
  const sidecar = playReattaching({ maxRestarts: 0 }).fail("attach", failure("permanent", "key"));
  assert.is(sidecar.at, "draining.destroying.attempting");
  assert.is(sidecar.of("SIDECAR_LOST")[0]?.by, "run-1");
  sidecar.done("destroy");
  assert.is(sidecar.snapshot.output?.reason, "sidecar-lost");
  assert.is(sidecar.snapshot.output?.cause?.code, "key");
});

test("LOST while it is dialled again, or waited for, loses the sidecar", () => {
  for (
    const sidecar of [playReattaching(), playReattaching().fail("attach", failure("transient"))]
  ) {
    sidecar.send(lost);
    assert.is(sidecar.at, "lost");
    assert.is(sidecar.invokes.size, 0);
    assert.equal([...sidecar.timers.values()], [100]);
  }
});

test("DISCONNECTED while it is dialled is a try that failed, while it waits it is nothing", () => {
  const sidecar = playReattaching().send(disconnected);
  assert.is(sidecar.at, at.waiting);
  assert.not(sidecar.invokes.has("attach"));
  assert.is(sidecar.send(disconnected).at, at.waiting);
  assert.is(sidecar.of("RETRYING").length, 1);
  sidecar.fire("backoff").send(disconnected).fire("backoff").send(disconnected);
  assert.is(sidecar.at, "lost");
});

test("RELEASE while it is dialled again makes it ready, and LEASE has to wait", () => {
  const sidecar = playReattaching().send({ type: "RELEASE", by: "run-1" });
  assert.is(sidecar.at, "up.lease.ready|connection.reattaching.attempting");
  assert.is(sidecar.send({ type: "LEASE", by: "run-2" }).snapshot.context.lease, null);
  assert.is(sidecar.done("attach").at, at.ready);
  assert.is(sidecar.send({ type: "LEASE", by: "run-2" }).snapshot.context.lease, "run-2");
});

test("losses are forgotten while it is dialled again too", () => {
  const sidecar = playReattaching().send(lost).fire("restart");
  sidecar.done("boot", { endpoint: null }).done("sync").send(disconnected).fire("quiet");
  assert.is(sidecar.at, "up.lease.ready|connection.reattaching.attempting");
  assert.is(sidecar.snapshot.context.restarts, 0);
});

test("DRAIN while it is dialled again destroys it, after its lease where one is held", () => {
  const free = playReady().send(disconnected).send({ type: "DRAIN" });
  assert.is(free.at, "draining.destroying.attempting");
  assert.equal([...free.invokes.keys()], ["destroy"]);
  const held = playReattaching().fail("attach", failure("transient")).send({ type: "DRAIN" });
  assert.is(held.at, "draining.returning");
  assert.equal([...held.invokes.keys()], ["watch"]);
  assert.equal([...held.timers.values()], [5_000]);
  assert.is(held.send({ type: "RELEASE", by: "run-1" }).at, "draining.destroying.attempting");
});

test("DISCONNECTED of a leased sidecar that drains changes nothing", () => {
  const sidecar = playLeased().send({ type: "DRAIN" }).send(disconnected);
  assert.is(sidecar.at, "draining.returning");
  assert.is(sidecar.snapshot.context.lease, "run-1");
});
