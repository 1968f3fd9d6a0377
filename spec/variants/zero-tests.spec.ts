import * as assert from "uvu/assert";
import { testsSeen } from "../../runtime/variants/zero-tests.ts";
import { suite } from "../harness.ts";

const test = suite("zero-tests");

const outputs: readonly (readonly [string, string, string])[] = [
  ["node:test", "# tests 0\n# pass 0\n# fail 0\n", "# tests 3\n# pass 3\n"],
  ["node:test spec", "ℹ tests 0\nℹ pass 0\n", "ℹ tests 1\nℹ pass 0\nℹ fail 1\n"],
  ["TAP", "TAP version 13\n1..0\n", "TAP version 13\nok 1 - a\n1..1\n"],
  ["pytest", "===== no tests ran in 0.01s =====", "===== 1 failed, 2 passed in 0.1s ====="],
  ["unittest", "Ran 0 tests in 0.000s\n\nOK\n", "Ran 2 tests in 0.001s\n\nFAILED (failures=1)\n"],
  ["jest", "No tests found, exiting with code 0\n", "Tests:       1 failed, 2 passed, 3 total\n"],
  ["vitest", "No test files found, exiting with code 1\n", "      Tests  2 passed (2)\n"],
  ["mocha", "\n  0 passing (1ms)\n", "\n  0 passing (2ms)\n  1 failing\n"],
  ["cargo", "running 0 tests\n\ntest result: ok. 0 passed; 0 failed;\n", "running 1 test\n"],
  ["nextest", "    Starting 0 tests across 1 binary\n", "    Starting 3 tests across 1 binary\n"],
  ["go", "?   \texample.org/a\t[no test files]\n", "ok  \texample.org/a\t0.003s\n"],
  ["go -run", "ok  \texample.org/a\t0.003s [no tests to run]\n", "--- FAIL: TestA (0.00s)\n"],
  ["deno", "ok | 0 passed | 0 failed (0ms)\n", "FAILED | 0 passed | 1 failed (3ms)\n"],
  ["rspec", "0 examples, 0 failures\n", "3 examples, 1 failure\n"],
  ["phpunit", "No tests executed!\n", "OK (2 tests, 2 assertions)\n"],
  ["ctest", "No tests were found!!!\n", "100% tests passed, 0 tests failed out of 3\n"],
];

for (const [runner, none, some] of outputs) {
  test(`testsSeen() tells no tests from some in what ${runner} prints`, () => {
    assert.is(testsSeen(none, ""), "none");
    assert.is(testsSeen("", none), "none");
    assert.is(testsSeen(some, ""), "some");
    assert.is(testsSeen(none, some), "some");
  });
}

test("testsSeen() does not know other output, and looks through colours", () => {
  assert.is(testsSeen("all good\n", ""), "unknown");
  assert.is(testsSeen("\u001b[32m  2 passing\u001b[0m\n", ""), "some");
});
