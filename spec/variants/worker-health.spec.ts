import * as assert from "uvu/assert";
import { failureSignature } from "../../runtime/variants/signature.ts";
import { WorkerHealth } from "../../runtime/variants/worker-health.ts";
import { suite } from "../harness.ts";

const test = suite("worker-health");

const kill = (key: string, signature = "s") => ({ key, status: "killed" as const, signature });

test("isSuspicious after three kills in a row that look the same", () => {
  const health = new WorkerHealth<string>();
  for (const key of ["a", "b"]) health.note(kill(key));
  assert.is(health.isSuspicious, false);
  health.note(kill("other", "t"));
  for (const key of ["c", "d"]) health.note(kill(key));
  assert.is(health.isSuspicious, false);
  health.note(kill("e"));
  assert.is(health.isSuspicious, true);
  assert.equal(health.red(), ["a", "b", "other", "c", "d", "e"]);
  assert.equal(health.doubtful, []);
});

test("a survivor is as good as a green baseline", () => {
  const health = new WorkerHealth<string>();
  for (const key of ["a", "b"]) health.note(kill(key));
  health.note({ key: "c", status: "survived", signature: "ok" });
  assert.equal(health.doubtful, []);
  health.note(kill("d"));
  assert.is(health.isSuspicious, false);
});

test("green() makes the same failure less suspicious, so that checks grow rare", () => {
  const health = new WorkerHealth<string>();
  let checks = 0;
  for (let at = 0; at < 200; at++) {
    health.note(kill(String(at)));
    if (!health.isSuspicious) continue;
    checks++;
    health.green();
  }
  assert.ok(checks <= 4, `${checks} checks`);
});

test("failureSignature() leaves out what changes from run to run", () => {
  const of = (stdout: string, exitCode = 1) =>
    failureSignature({ command: "test", exitCode, stdout, stderr: "" });
  assert.is(of("failed in 12ms at 0xdeadbeef1\n"), of("failed in 7ms  at 0xcafe2\n"));
  assert.is.not(of("expected a"), of("expected b"));
  assert.is.not(of("x", 1), of("x", 2));
});
