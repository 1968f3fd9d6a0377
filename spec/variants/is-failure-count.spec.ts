import * as assert from "uvu/assert";
import { isFailureCount } from "../../runtime/variants/is-failure-count.ts";
import { judgeCommand } from "../../runtime/variants/judge.ts";
import { suite } from "../harness.ts";

const test = suite("isFailureCount");

const mocha = (failing: number) =>
  `\n\n  1809 passing (1s)\n  ${failing} failing\n\n  1) it fails:\n`;

for (
  const [runner, code, output] of [
    ["mocha", 168, mocha(168)],
    ["mocha, at its highest code", 255, mocha(1200)],
    [
      "Catch2",
      200,
      "test cases:   9 |   8 passed |   1 failed\nassertions: 900 | 700 passed | 200 failed\n",
    ],
    [
      "CppUTest",
      137,
      "Errors (137 failures, 300 tests, 300 ran, 4 checks, 0 ignored, 0 filtered out, 2 ms)\n",
    ],
    ["Unity", 130, "300 Tests 130 Failures 0 Ignored\nFAIL\n"],
  ] as const
) {
  test(`isFailureCount() knows the summary of ${runner}`, () => {
    assert.ok(isFailureCount(code, output, ""));
    assert.ok(
      isFailureCount(code, "", `\u001b[31m${output}\u001b[0m`.replaceAll("\n\u001b", "\n")),
    );
    assert.not.ok(isFailureCount(code - 1, output, ""));
  });
}

test("isFailureCount() says no where no runner reported the code", () => {
  assert.not.ok(isFailureCount(139, "Segmentation fault\n", mocha(3)));
  assert.not.ok(isFailureCount(0, mocha(0), ""));
});

const exit = (code: number, stdoutTail: string) => ({
  kind: "exit" as const,
  code,
  oom: false,
  durationMs: 1,
  stdoutTail,
  stderrTail: "",
});

test("judgeCommand() takes a code that looks like a signal for a kill where the runner counted so many", () => {
  const rules = { phase: "test", killExitCodes: "default", timeoutMs: 1 } as const;
  assert.is(judgeCommand(exit(137, mocha(137)), rules).status, "killed");
  assert.is(judgeCommand(exit(255, mocha(400)), rules).status, "killed");
  assert.is(judgeCommand(exit(127, mocha(127)), rules).status, "killed");
  assert.is(judgeCommand(exit(137, mocha(2)), rules).status, "error");
});

test("judgeCommand() leaves a counted code an error for a build, and where codes were narrowed", () => {
  const counted = exit(150, mocha(150));
  const build = { phase: "build", killExitCodes: "default", timeoutMs: 1 } as const;
  assert.is(judgeCommand(counted, build).status, "error");
  const narrowed = { phase: "test", killExitCodes: [1], timeoutMs: 1 } as const;
  assert.is(judgeCommand(counted, narrowed).status, "error");
});
