import { type ChildProcess, spawn } from "node:child_process";
import { join } from "node:path";
import process from "node:process";
import { ended, type Place, start } from "../cli/cli-kit.ts";
import { root } from "../kit/root.ts";
import type { RunResult } from "../kit/run-script.ts";

/** Which runtime a child runs on: that of this process, or Deno. */
export type ChildRuntime = "own" | "deno";

/**
 * The pairs of a server's and a client's runtimes. On Deno there is no Node that is sure to run
 * sources, so the mixed pairs are those of a Node.
 */
export const PAIRS: readonly (readonly [server: ChildRuntime, client: ChildRuntime])[] =
  process.versions["deno"] === undefined
    ? [["own", "own"], ["own", "deno"], ["deno", "own"]]
    : [["own", "own"]];

/** Starts `sidecanary` in a place, on a runtime. */
export function startOn(runtime: ChildRuntime, at: Place, args: readonly string[]): ChildProcess {
  if (runtime === "own") return start(at, args);
  const env: NodeJS.ProcessEnv = { ...process.env };
  for (const [name, value] of Object.entries(at.env)) {
    if (value === undefined) delete env[name];
    else env[name] = value;
  }
  const deno = join(root(), "node_modules/.bin/deno");
  const child = spawn(deno, ["run", "-A", join(root(), "spec/kit/children/cli.ts"), ...args], {
    cwd: at.dir,
    env,
    stdio: ["pipe", "pipe", "pipe"],
  });
  child.stdin.on("error", () => {}).end();
  return child;
}

/** Runs `sidecanary` in a place to its end, on a runtime. */
export function runOn(
  runtime: ChildRuntime,
  at: Place,
  args: readonly string[],
): Promise<RunResult> {
  return ended(startOn(runtime, at, args));
}
