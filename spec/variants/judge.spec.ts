import * as assert from "uvu/assert";
import type { RunResult } from "../../runtime/sidecars/provider.ts";
import type { KillExitCodes } from "../../runtime/variants/campaign-request.ts";
import { judgeCommand } from "../../runtime/variants/judge.ts";
import { killExitCodePresets } from "../../runtime/variants/kill-exit-codes.ts";
import { suite } from "../harness.ts";

const test = suite("judge");

const output = { durationMs: 1, stdoutTail: "", stderrTail: "" };
const exit = (code: number, more: { readonly oom?: boolean; readonly stdoutTail?: string } = {}) =>
  ({ kind: "exit", code, oom: false, ...output, ...more }) as RunResult;

function judged(
  result: RunResult,
  killExitCodes: KillExitCodes = "default",
  phase: "build" | "test" = "test",
): string {
  const verdict = judgeCommand(result, { phase, killExitCodes, timeoutMs: 5 });
  return verdict.status === "error" ? verdict.reason : verdict.status;
}

test("judgeCommand() takes exit codes 1 to 125 for a kill and no other one", () => {
  for (let code = 0; code <= 255; code++) {
    const expected = code === 0
      ? "passed"
      : code <= 125
      ? "killed"
      : code === 126
      ? "env-command-not-executable"
      : code === 127
      ? "env-command-missing"
      : code > 128 && code <= 192
      ? "signalled"
      : "unexpected-exit-code";
    assert.is(judged(exit(code)), expected, String(code));
  }
});

test("judgeCommand() takes only the listed codes for a kill, and never 126, 127 or a signal's", () => {
  assert.is(judged(exit(1), [100]), "unexpected-exit-code");
  assert.is(judged(exit(100), [100]), "killed");
  assert.is(judged(exit(255), [255]), "killed");
  for (const code of [126, 127, 137]) assert.is.not(judged(exit(code), [126, 127, 137]), "killed");
});

test("judgeCommand() never takes a failure that is not the command's own for a kill", () => {
  const failure = { code: "x", message: "x", class: "sidecar-lost" } as const;
  assert.is(judged({ kind: "signal", name: "SIGSEGV", oom: false, ...output }), "signalled");
  assert.is(judged({ kind: "signal", name: "SIGKILL", oom: true, ...output }), "oom");
  assert.is(judged(exit(137, { oom: true })), "oom");
  assert.is(judged(exit(1, { oom: true })), "oom");
  assert.is(judged({ kind: "timeout", ...output }), "timeout");
  assert.is(judged({ kind: "lost", failure, ...output }), "lost");
  assert.is(judged(exit(1), "default", "build"), "build-failed");
});

test("judgeCommand() finds that no test ran, whatever the exit code is", () => {
  const none = { stdoutTail: "collected 0 items\n\nno tests ran in 0.01s\n" };
  assert.is(judged(exit(0, none)), "no-tests");
  assert.is(judged(exit(5, none)), "no-tests");
  assert.is(judged(exit(0, none), "default", "build"), "passed");
});

test("killExitCodePresets name codes that can be a kill", () => {
  for (const [name, codes] of Object.entries(killExitCodePresets)) {
    for (const code of codes) assert.is(judged(exit(code), codes), "killed", name);
  }
});
