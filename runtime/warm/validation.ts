import { createHash } from "node:crypto";
import type { CommandEnd } from "./run-remote.ts";

/** A command of a validation. */
export interface ValidateCommand {
  readonly name: string;
  /** Run by `sh -c`. */
  readonly run: string;
  /** After how many ms it is killed. */
  readonly timeoutMs: number;
}

/** What became of one command. */
export interface ValidateResult {
  readonly name: string;
  readonly status: "passed" | "failed" | "timeout" | "skipped";
  /** `null` where it did not end by itself. */
  readonly exitCode: number | null;
  readonly signal: string | null;
  readonly durationMs: number;
}

/** What became of all of them. */
export interface Validation {
  readonly tree: string;
  /** Where they ran, in words. */
  readonly place: string;
  readonly passed: boolean;
  readonly durationMs: number;
  readonly results: readonly ValidateResult[];
}

/** Where the commands run; the tree is there. */
export interface ValidatePlace {
  readonly tree: string;
  readonly place: string;
  run(
    command: ValidateCommand,
    output: {
      readonly onStdout: (chunk: Uint8Array) => void;
      readonly onStderr: (chunk: Uint8Array) => void;
    },
  ): Promise<CommandEnd>;
}

/** What {@link runValidation} tells while it runs. */
export interface ValidateEvents {
  readonly onBegin: (command: ValidateCommand) => void;
  readonly onOutput: (chunk: Uint8Array, stream: "stdout" | "stderr") => void;
  readonly onEnd: (result: ValidateResult) => void;
}

/**
 * Runs the commands in order; the first that fails ends it and the rest is skipped.
 *
 * @throws what kept a command from being run, which is no failure of the project
 */
export async function runValidation(
  place: ValidatePlace,
  commands: readonly ValidateCommand[],
  { onBegin, onOutput, onEnd }: ValidateEvents,
): Promise<Validation> {
  const results: ValidateResult[] = [];
  const began = performance.now();
  for (const command of commands) {
    const { name } = command;
    if (results.some(({ status }) => status !== "passed")) {
      const skipped = {
        name,
        status: "skipped",
        exitCode: null,
        signal: null,
        durationMs: 0,
      } as const;
      results.push(skipped);
      onEnd(skipped);
      continue;
    }
    onBegin(command);
    const start = performance.now();
    const end = await place.run(command, {
      onStdout: (chunk) => onOutput(chunk, "stdout"),
      onStderr: (chunk) => onOutput(chunk, "stderr"),
    });
    const result: ValidateResult = {
      name,
      status: end.kind === "timeout"
        ? "timeout"
        : end.kind === "exit" && end.code === 0
        ? "passed"
        : "failed",
      exitCode: end.kind === "exit" ? end.code : null,
      signal: end.kind === "signal" ? end.name : null,
      durationMs: Math.round(performance.now() - start),
    };
    results.push(result);
    onEnd(result);
  }
  return {
    tree: place.tree,
    place: place.place,
    passed: results.every(({ status }) => status === "passed"),
    durationMs: Math.round(performance.now() - began),
    results,
  };
}

/** What a green run was green for: another tree, command or place is another key. */
export function validationKey(parts: {
  readonly tree: string;
  readonly cwd: string;
  readonly commands: readonly ValidateCommand[];
  readonly where: string;
  readonly setup: string | null;
  readonly env: Readonly<Record<string, string>>;
}): string {
  const { tree, cwd, commands, where, setup, env } = parts;
  const listed = commands.map(({ name, run, timeoutMs }) => [name, run, timeoutMs]);
  const sorted = Object.entries(env).sort(([a], [b]) => a < b ? -1 : 1);
  const text = JSON.stringify([tree, cwd, listed, where, setup, sorted]);
  return createHash("sha256").update(text).digest("hex");
}
