import * as assert from "uvu/assert";
import { verdict } from "../../scripts/verdict.ts";
import { suite } from "../harness.ts";

const test = suite("verdict");

const GREEN = "\n  Total:     2\n  Passed:    2\n\nstep: 2 passed, 0 failed\n";

test("verdict() is green when exit code, closing line and total agree", () => {
  assert.equal(verdict(undefined, GREEN), { passed: 2, failed: 0 });
});

test("verdict() reads through colours", () => {
  const coloured =
    "\n  Total:     2\u001b[32m\n  Passed:    2\u001b[39m\n\nstep: 2 passed, 0 failed\n";
  assert.equal(verdict(undefined, coloured), { passed: 2, failed: 0 });
});

test("verdict() counts a file without a closing line as a failure", () => {
  const fault = "no closing line; the process ended with 0";
  assert.equal(verdict(undefined, ""), { passed: 0, failed: 1, fault });
});

test("verdict() counts a killed file as a failure beside what passed", () => {
  const fault = "the process was killed after 120 s";
  assert.equal(verdict("was killed after 120 s", GREEN), { passed: 2, failed: 1, fault });
});

test("verdict() counts a file that ran no test as a failure", () => {
  const output = "\n  Total:     0\n\nstep: 0 passed, 0 failed\n";
  assert.equal(verdict(undefined, output), { passed: 0, failed: 1, fault: "no test was run" });
});

test("verdict() counts a file whose total differs as a failure", () => {
  const output = GREEN.replace("Total:     2", "Total:     3");
  const fault = "2 passed, but uvu counted 3";
  assert.equal(verdict(undefined, output), { passed: 2, failed: 1, fault });
});

test("verdict() takes the number of failures from the closing line", () => {
  const output = GREEN.replace("2 passed, 0 failed", "1 passed, 3 failed");
  assert.equal(verdict("ended with 1", output), { passed: 1, failed: 3, fault: "3 failed" });
});
