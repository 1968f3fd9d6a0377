import { type ChildProcess, spawn } from "node:child_process";
import { mkdirSync, readdirSync, readFileSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import process from "node:process";
import { root } from "../kit/root.ts";
import { type RunResult, runScript, spawnScript } from "../kit/run-script.ts";
import { tempDir } from "../kit/temp-dir.ts";

const CHILD = "kit/children/cli.ts";

/** A folder that the command line is used in, and a state folder of its own. */
export interface Place {
  readonly dir: string;
  readonly env: Readonly<Record<string, string | undefined>>;
}

/** A folder with these files: a text as it is, a value as JSON. */
export async function place(files: Readonly<Record<string, unknown>>): Promise<Place> {
  const [dir, state] = [await tempDir(), await tempDir()];
  for (const [name, content] of Object.entries(files)) {
    mkdirSync(dirname(join(dir, name)), { recursive: true });
    writeFileSync(join(dir, name), typeof content === "string" ? content : JSON.stringify(content));
  }
  const env = { XDG_STATE_HOME: state, NO_COLOR: "1", FORCE_COLOR: undefined, CI: undefined };
  return { dir, env };
}

/** A patch that makes the only line of `file` another one. */
export function replace(file: string, before: string, after: string): string {
  return `--- a/${file}\n+++ b/${file}\n@@ -1 +1 @@\n-${before}\n+${after}\n`;
}

/** Runs `sidecanary` in a place to its end. */
export function sidecanary(
  { dir, env }: Place,
  args: readonly string[],
  options: { readonly input?: string; readonly env?: Place["env"] } = {},
): Promise<RunResult> {
  const { input = "" } = options;
  return runScript(CHILD, args, { cwd: dir, env: { ...env, ...options.env }, input });
}

/** Starts `sidecanary` in a place; standard input is at its end. */
export function start({ dir, env }: Place, args: readonly string[]): ChildProcess {
  const child = spawnScript(CHILD, args, { cwd: dir, env });
  child.stdin?.on("error", () => {}).end();
  return child;
}

/** Runs `sidecanary … | head -n 1` and answers the exit code of the former, the output of both. */
export function firstLine(at: Place, args: readonly string[]): Promise<RunResult> {
  return inBash(at, args, '"$@" </dev/null | head -n 1; exit "${PIPESTATUS[0]}"');
}

/** Runs `sidecanary … > /dev/full`: no space is left for what it writes to standard output. */
export function intoFull(at: Place, args: readonly string[]): Promise<RunResult> {
  return inBash(at, args, 'exec "$@" </dev/null >/dev/full');
}

function inBash(
  { dir, env }: Place,
  args: readonly string[],
  line: string,
): Promise<RunResult> {
  const script = join(root(), import.meta.url.endsWith(".ts") ? "spec" : "dist-spec", CHILD);
  const own = import.meta.url.endsWith(".ts") ? script : script.replace(/\.ts$/, ".js");
  const runtime = process.versions["deno"] === undefined ? [] : ["run", "-A"];
  const child = spawn("bash", ["-c", line, "bash", process.execPath, ...runtime, own, ...args], {
    cwd: dir,
    env: { ...process.env, ...env },
    stdio: ["ignore", "pipe", "pipe"],
  });
  return ended(child);
}

/** How a started child ends. */
export function ended(child: ChildProcess): Promise<RunResult> {
  let stdout = "", stderr = "";
  child.stdout?.setEncoding("utf8").on("data", (text: string) => stdout += text);
  child.stderr?.setEncoding("utf8").on("data", (text: string) => stderr += text);
  return new Promise((resolve, reject) => {
    child.once("error", reject);
    child.once("close", (code, signal) => resolve({ code, signal, stdout, stderr }));
  });
}

/** The processes whose command line holds `text`; none is known without /proc. */
export function processesWith(text: string): number[] {
  return readdirSync("/proc").filter((name) => /^\d+$/.test(name)).map(Number).filter((pid) => {
    try {
      return readFileSync(`/proc/${pid}/cmdline`, "utf8").includes(text);
    } catch {
      // It ended meanwhile.
      return false;
    }
  });
}
