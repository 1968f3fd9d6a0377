import * as assert from "uvu/assert";
import { suite } from "../../harness.ts";
import { failure, playSyncing, steady } from "./play.ts";

const test = suite("sidecar/syncing");

const gone = failure("sidecar-lost", "ECONNRESET");

test("a transient failure of sync waits and is tried again, by a policy of its own", () => {
  const sidecar = playSyncing({ syncRetry: { ...steady, baseMs: 70 } });
  sidecar.fail("sync", failure("transient"));
  assert.is(sidecar.at, "syncing.waiting");
  assert.ok(sidecar.snapshot.hasTag("transient"));
  assert.equal([...sidecar.timers.values()], [70]);
  assert.equal(
    sidecar.of("RETRYING").map(({ phase, attempt, tries }) => [phase, attempt, tries]),
    [["syncing", 2, 1]],
  );
  sidecar.fire("backoff");
  assert.is(sidecar.invokes.get("sync")?.input.attempt, 3);
  assert.is(sidecar.done("sync").at, "up.lease.ready|connection.attached");
  assert.is(sidecar.snapshot.context.failure, null);
});

test("a sync that does not succeed is given up, and the sidecar is destroyed", () => {
  const broken = failure("transient", "reset");
  const worn = playSyncing().fail("sync", broken).fire("backoff").fail("sync", broken);
  worn.fire("backoff").fail("sync", broken);
  for (const sidecar of [worn, playSyncing().fail("sync", failure("permanent", "reset"))]) {
    assert.is(sidecar.at, "draining.destroying.attempting");
    assert.equal(sidecar.invokes.get("destroy")?.input.endpoint, { port: 22 });
    assert.is(sidecar.done("destroy").snapshot.output?.cause?.code, "reset");
    assert.is(sidecar.snapshot.output?.reason, "reset");
  }
});

test("a sidecar lost in sync counts as a restart, and nobody is told", () => {
  const sidecar = playSyncing().fail("sync", gone);
  assert.is(sidecar.at, "lost");
  assert.is(sidecar.snapshot.context.restarts, 1);
  assert.equal(sidecar.of("SIDECAR_LOST"), []);
  const last = playSyncing({ maxRestarts: 0 }).fail("sync", gone);
  assert.is(last.done("destroy").snapshot.output?.reason, "sidecar-lost");
});

test("DRAIN destroys what is still syncing", () => {
  for (const sidecar of [playSyncing(), playSyncing().fail("sync", failure("transient"))]) {
    sidecar.send({ type: "DRAIN" });
    assert.equal([...sidecar.invokes.keys()], ["destroy"]);
    assert.is(sidecar.timers.size, 0);
    assert.is(sidecar.done("destroy").snapshot.output?.reason, "drained");
  }
});
