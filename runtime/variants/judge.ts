import type { RunResult } from "../sidecars/provider.ts";
import type { KillExitCodes } from "./campaign-request.ts";
import { isFailureCount } from "./is-failure-count.ts";
import { testsSeen } from "./zero-tests.ts";

/** Why a variant has no measurement: the `reason` of `error` and `skipped`. */
export type UnmeasuredReason =
  /** A build command failed or ran too long: the tests never saw the change. */
  | "build-failed"
  /** The patch does not apply to the payload. */
  | "patch-rejected"
  /** The patch changes nothing. */
  | "no-op-patch"
  /** Exit code 127: the shell did not find the command. */
  | "env-command-missing"
  /** Exit code 126: the command cannot be executed. */
  | "env-command-not-executable"
  /** The test runner says that it ran no test. */
  | "no-tests"
  /** The kernel killed for want of memory. */
  | "oom"
  /** A signal ended the command (also as 128 + n). */
  | "signalled"
  /** An exit code that does not count as a kill. */
  | "unexpected-exit-code"
  /** Every sidecar that the variant was given was lost. */
  | "sidecar-lost"
  /** The sandbox could not be brought to the variant's state. */
  | "sidecar-failed"
  /** The baseline failed where the variant had run, and no place was left to run it again. */
  | "environment-broken"
  /** Not run: the run was cancelled. */
  | "cancelled"
  /** Not run: enough variants had survived. */
  | "fail-fast"
  /** Not run: the controls had failed. */
  | "void"
  /** Not run: the campaign ended before. */
  | "not-run"
  /** A defect of sidecanary itself. */
  | "unexpected";

/** What one command says about a variant. */
export type CommandVerdict =
  | { readonly status: "passed" }
  | { readonly status: "killed"; readonly exitCode: number }
  | { readonly status: "timeout"; readonly message: string }
  | {
    readonly status: "error";
    readonly reason: UnmeasuredReason;
    readonly exitCode: number | null;
    readonly message: string;
  }
  /** The sandbox is to blame: run it elsewhere. */
  | { readonly status: "lost" };

/** What a command is judged by. */
export interface JudgeRules {
  readonly phase: "build" | "test";
  readonly killExitCodes: KillExitCodes;
  /** In ms, for the message. */
  readonly timeoutMs: number;
}

/** The highest signal number that systems have. */
const LAST_SIGNAL = 64;

/**
 * Whether a command that ended like this saw the change. `killed` only where it ran and failed by
 * itself: exit codes 1 to 125, a higher one that the runner's own summary names as its number of
 * failures, or those of `killExitCodes`. Else 126, 127 and 128 + n are never kills.
 */
export function judgeCommand(result: RunResult, rules: JudgeRules): CommandVerdict {
  switch (result.kind) {
    case "lost":
      return { status: "lost" };
    case "timeout":
      return { status: "timeout", message: `It ran longer than ${rules.timeoutMs} ms.` };
    case "signal":
      if (result.oom) return outOfMemory(null);
      return error("signalled", null, `The signal ${result.name} ended it.`);
    case "exit":
      return result.code === 0 ? judgePass(result, rules) : judgeFailure(result, rules);
  }
}

type Exit = Extract<RunResult, { kind: "exit" }>;

function judgePass(result: Exit, rules: JudgeRules): CommandVerdict {
  return rules.phase === "test" && ranNoTests(result) ? noTests(0) : { status: "passed" };
}

function judgeFailure(result: Exit, rules: JudgeRules): CommandVerdict {
  const { code, oom } = result;
  if (oom) return outOfMemory(code);
  if (rules.phase === "test" && isKill(125, rules.killExitCodes) && countsFailures(result)) {
    return { status: "killed", exitCode: code };
  }
  if (code === 126) {
    return error("env-command-not-executable", code, "The shell cannot execute it (exit 126).");
  }
  if (code === 127) {
    return error("env-command-missing", code, "The shell does not find it (exit 127).");
  }
  if (code > 128 && code <= 128 + LAST_SIGNAL) {
    return error("signalled", code, `Signal ${code - 128} ended it (exit ${code}).`);
  }
  if (rules.phase === "build") {
    return error("build-failed", code, `The build ended with exit code ${code}.`);
  }
  if (ranNoTests(result)) return noTests(code);
  if (isKill(code, rules.killExitCodes)) return { status: "killed", exitCode: code };
  return error(
    "unexpected-exit-code",
    code,
    `Exit code ${code} does not count as a kill: list it as a kill exit code if the tests end so.`,
  );
}

/** mocha with 150 failing tests ends with 150, which is no signal: its summary says so. */
function countsFailures({ code, stdoutTail, stderrTail }: Exit): boolean {
  return code > 125 && isFailureCount(code, stdoutTail, stderrTail);
}

function isKill(code: number, codes: KillExitCodes): boolean {
  return codes === "default" ? code <= 125 : codes.includes(code);
}

function ranNoTests(result: Exit): boolean {
  return testsSeen(result.stdoutTail, result.stderrTail) === "none";
}

function noTests(code: number): CommandVerdict {
  return error("no-tests", code, "The test runner says that it ran no tests.");
}

function outOfMemory(code: number | null): CommandVerdict {
  return error("oom", code, "The kernel killed it for want of memory.");
}

function error(
  reason: UnmeasuredReason,
  exitCode: number | null,
  message: string,
): CommandVerdict {
  return { status: "error", reason, exitCode, message };
}
