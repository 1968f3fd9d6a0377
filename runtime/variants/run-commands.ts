import type { Failure } from "../../machines/failure.ts";
import type { RunResult, Sandbox } from "../sidecars/provider.ts";
import type { KillExitCodes, ProjectCommand } from "./campaign-request.ts";
import { judgeCommand, type UnmeasuredReason } from "./judge.ts";
import { type TestsSeen, testsSeen } from "./zero-tests.ts";

/** The files that get the whole output of one command. */
export interface LogFiles {
  readonly stdout: string;
  readonly stderr: string;
}

/** What is run in a sandbox, and how. */
export interface CommandsOptions {
  readonly builds: readonly ProjectCommand[];
  readonly commands: readonly ProjectCommand[];
  /** In ms. */
  readonly budgetOf: (command: ProjectCommand) => number;
  readonly killExitCodes: KillExitCodes;
  /** Where the output of a command goes; parents exist. `undefined` keeps none. */
  readonly logsOf?: (command: ProjectCommand) => LogFiles | undefined;
  readonly onCommand?: (command: ProjectCommand) => void;
  readonly signal: AbortSignal;
}

/** What a state of the files came to: `survived` passed everything. */
export interface CommandsOutcome {
  readonly status: "survived" | "killed" | "timeout" | "error" | "lost";
  readonly reason: UnmeasuredReason | null;
  /** Which part decided; `null` where everything passed. */
  readonly phase: "build" | "test" | null;
  /** The name of the command that decided, `null` where everything passed. */
  readonly command: string | null;
  /** Of the command that decided, or the last one. */
  readonly exitCode: number | null;
  readonly message: string | null;
  /** Of all commands together. */
  readonly durationMs: number;
  /** The end of the deciding or last command's output. */
  readonly stdout: string;
  readonly stderr: string;
  readonly logs?: LogFiles;
  /** Whether any output tells of tests that ran. */
  readonly tests: TestsSeen;
  /** Each command that ran, by name. */
  readonly ran: Readonly<Record<string, number>>;
  /** Given with `lost`. */
  readonly failure?: Failure;
}

/** How many bytes of each stream a verdict is judged by: a summary may stand before long details. */
const JUDGED = 4_194_304;

/** How many characters of each stream a result keeps. */
const TAIL = 16_384;

/**
 * Runs the builds, then the commands, in order until one decides. Run again on the same sandbox, after
 * its connection was lost, it goes on with the command that was running.
 */
export async function runCommands(
  sandbox: Sandbox,
  options: CommandsOptions,
): Promise<CommandsOutcome> {
  const { builds, commands, signal } = options;
  const ran: Record<string, number> = {};
  let durationMs = 0;
  let tests: TestsSeen = "unknown";
  let last: RunResult | undefined;
  let logs: LogFiles | undefined;
  const steps = [
    ...builds.map((command) => ({ command, phase: "build" as const })),
    ...commands.map((command) => ({ command, phase: "test" as const })),
  ];
  for (const [index, { command, phase }] of steps.entries()) {
    const timeoutMs = options.budgetOf(command);
    logs = options.logsOf?.(command);
    options.onCommand?.(command);
    const result = await sandbox.run(command.run, {
      key: String(index),
      timeoutMs,
      signal,
      tailBytes: JUDGED,
      ...(logs === undefined ? {} : { logs }),
    });
    last = result;
    ran[command.name] = result.durationMs;
    durationMs += result.durationMs;
    if (phase === "test" && tests !== "some") {
      const seen = testsSeen(result.stdoutTail, result.stderrTail);
      if (seen !== "unknown") tests = seen;
    }
    const verdict = judgeCommand(result, {
      phase,
      killExitCodes: options.killExitCodes,
      timeoutMs,
    });
    if (verdict.status === "passed") continue;
    const base = { durationMs, ...outputOf(result, logs), tests, ran };
    const decided = { ...base, phase, command: command.name };
    const message = "message" in verdict ? `${command.name}: ${verdict.message}` : null;
    switch (verdict.status) {
      case "killed":
        return { ...decided, status: "killed", reason: null, exitCode: verdict.exitCode, message };
      case "timeout":
        return { ...decided, status: "timeout", reason: null, exitCode: null, message };
      case "error": {
        const { reason, exitCode } = verdict;
        return { ...decided, status: "error", reason, exitCode, message };
      }
      case "lost":
        return {
          ...decided,
          status: "lost",
          reason: "sidecar-lost",
          exitCode: null,
          message,
          ...(result.kind === "lost" ? { failure: result.failure } : {}),
        };
    }
  }
  return {
    status: "survived",
    reason: null,
    phase: null,
    command: null,
    exitCode: last === undefined ? null : 0,
    message: null,
    durationMs,
    ...outputOf(last, logs),
    tests,
    ran,
  };
}

function outputOf(result: RunResult | undefined, logs: LogFiles | undefined) {
  return {
    stdout: result?.stdoutTail.slice(-TAIL) ?? "",
    stderr: result?.stderrTail.slice(-TAIL) ?? "",
    ...(logs === undefined ? {} : { logs }),
  };
}
