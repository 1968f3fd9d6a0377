import { execFileSync } from "node:child_process";
import * as assert from "uvu/assert";
import { readOomCount, wasOom } from "../../../runtime/sidecars/local/oom-counter.ts";
import { suite } from "../../harness.ts";

const test = suite("oom-counter");
const none = { group: 4, machine: 9 };

test("wasOom() takes any failure for one while the group's counter rose", () => {
  const after = { group: 5, machine: 10 };
  assert.is(wasOom(none, after, { failed: true, killed: false }), true);
  assert.is(wasOom(none, after, { failed: false, killed: false }), false);
});

test("wasOom() takes only a death by SIGKILL for one while the machine's counter rose", () => {
  const after = { group: 4, machine: 10 };
  assert.is(wasOom(none, after, { failed: true, killed: true }), true);
  assert.is(wasOom(none, after, { failed: true, killed: false }), false);
  assert.is(wasOom(none, none, { failed: true, killed: true }), false);
});

test("readOomCount() reads the kernel's own counter", () => {
  const vmstat = execFileSync("cat", ["/proc/vmstat"], { encoding: "utf8" });
  const count = Number(/^oom_kill (\d+)$/m.exec(vmstat)?.[1] ?? 0);
  assert.is(readOomCount().machine >= count, true);
});
