import * as assert from "uvu/assert";
import { suite } from "./harness.ts";
import { runScript } from "./kit/run-script.ts";

const test = suite("harness");

test("suite() runs every suite of a file, also those after a top-level await", async () => {
  await ends("passes", 0, "passes: 2 passed, 0 failed");
});

test("suite() fails a file with a failing test and names it", async () => {
  await ends("fails", 1, "fails: 1 passed, 1 failed", "one and one are three");
});

test("suite() fails every test after a throwing before hook", async () => {
  await ends("before-throws", 1, "before-throws: 0 passed, 2 failed", "no server");
});

test("suite() fails a file whose after hook rejects", async () => {
  await ends("after-throws", 1, "after-throws: 1 passed, 1 failed", "could not stop");
});

test("suite() fails only the test whose after.each hook throws", async () => {
  await ends("after-each-throws", 1, "after-each-throws: 1 passed, 1 failed", "could not clean");
});

test("suite() fails a test that throws what is not an Error", async () => {
  const closing = "throws-string: 0 passed, 2 failed";
  await ends("throws-string", 1, closing, "thrown, and not an Error: just text");
});

test("suite() tells an error whose details are data, and runs the next test", async () => {
  const closing = "throws-with-details: 1 passed, 1 failed";
  await ends("throws-with-details", 1, closing, "the message is told", '"where":"here"');
});

test("suite() fails a test that never settles by its name and runs the next", async () => {
  const closing = "never-settles: 1 passed, 1 failed";
  await ends("never-settles", 1, closing, "waits for what never comes", "timed out after 50 ms");
});

test("suite() ends and fails a file that leaves a handle open", async () => {
  const closing = "handle-left-open: 1 passed, 1 failed";
  await ends("handle-left-open", 1, closing, "a handle was left open");
});

test("suite() blames an unhandled rejection on the test it happened in", async () => {
  const closing = "rejects: 1 passed, 1 failed";
  await ends("rejects", 1, closing, "an unhandled rejection: nobody waited");
});

test("suite() blames an uncaught exception on the test it happened in", async () => {
  const closing = "throws-later: 1 passed, 1 failed";
  await ends("throws-later", 1, closing, "an uncaught exception: from a timer");
});

test("suite() knows no only", async () => {
  await ends("only-left-in", 1, "only-left-in: 0 passed, 2 failed", "test.only is not a function");
});

test("suite() fails a file without a test", async () => {
  await ends("no-tests", 1, "no-tests: 0 passed, 2 failed", 'suite "empty" has no tests');
});

test("suite() fails a file with one suite without a test", async () => {
  const closing = "one-empty-suite: 1 passed, 1 failed";
  await ends("one-empty-suite", 1, closing, 'suite "empty" has no tests');
});

test("suite() that is never called fails the file", async () => {
  await ends("no-suite", 1, "no-suite: 0 passed, 1 failed", "no tests were declared");
});

test("suite() fails a file that exits with 0 before its end", async () => {
  const closing = "exits-early: 0 passed, 3 failed";
  await ends("exits-early", 1, closing, "the process ended before the run did");
});

test("suite() fails a file that throws while it loads", async () => {
  await ends("throws-at-load", 1, "throws-at-load: 0 passed", "did not load");
});

test("suite() refuses a test name used twice", async () => {
  await ends("same-name-twice", 1, "same-name-twice: 0 passed", "exists already");
});

test("suite() does not let a hook mute the exit code", async () => {
  await ends("mutes-exit-code", 1, "mutes-exit-code: 0 passed, 1 failed");
});

async function ends(name: string, code: number, closing: string, ...said: string[]) {
  const result = await runScript(`fixtures/harness/${name}.ts`, [], { env: { NO_COLOR: "1" } });
  const output = result.stdout + result.stderr;
  assert.is(result.code, code, output);
  const last = result.stdout.trimEnd().split("\n").at(-1) ?? "";
  assert.ok(last.startsWith(closing), `last line: ${last}\n${output}`);
  for (const text of said) assert.ok(output.includes(text), `no "${text}" in:\n${output}`);
}
