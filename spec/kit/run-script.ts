import { type ChildProcess, spawn } from "node:child_process";
import { join } from "node:path";
import process from "node:process";
import { root } from "./root.ts";

/** How a child is started. */
export interface SpawnOptions {
  /**
   * Variables over the parent's environment; `undefined` removes one.
   * @default {}
   */
  readonly env?: Readonly<Record<string, string | undefined>>;
  /**
   * The working directory.
   * @default the parent's
   */
  readonly cwd?: string;
}

/** How a child is run to its end. */
export interface RunOptions extends SpawnOptions {
  /**
   * What the child reads on its standard input.
   * @default "" (end of file at once)
   */
  readonly input?: string;
  /**
   * After how many milliseconds the child is killed and the promise rejected.
   * @default 60_000
   */
  readonly timeoutMs?: number;
}

/** How a child ended: `code` or `signal`, the other is `null`. */
export interface RunResult {
  readonly code: number | null;
  readonly signal: NodeJS.Signals | null;
  readonly stdout: string;
  readonly stderr: string;
}

/**
 * Starts a TypeScript file below spec/ (`"kit/children/writer.ts"`) as a child process on the
 * runtime this process runs on: the source where this is the source, else its bundled counterpart.
 * All three standard streams are pipes. The child is the runtime itself, so that a signal reaches
 * it. Only `spec/kit/children/**` and `spec/fixtures/harness/**` are in the bundle.
 *
 * Send a signal by `process.kill(child.pid, signal)`: after `child.kill(signal)` Deno reports that
 * signal as the end of a child, also when the child trapped it and exited with a code.
 */
export function spawnScript(
  entry: string,
  args: readonly string[] = [],
  options: SpawnOptions = {},
): ChildProcess {
  const env: NodeJS.ProcessEnv = { ...process.env };
  for (const [name, value] of Object.entries(options.env ?? {})) {
    if (value === undefined) delete env[name];
    else env[name] = value;
  }
  return spawn(process.execPath, [...scriptArgs(entry), ...args], {
    env,
    ...(options.cwd === undefined ? {} : { cwd: options.cwd }),
    stdio: ["pipe", "pipe", "pipe"],
  });
}

/** Runs a TypeScript file below spec/ to its end; see {@link spawnScript}. */
export async function runScript(
  entry: string,
  args: readonly string[] = [],
  options: RunOptions = {},
): Promise<RunResult> {
  const child = spawnScript(entry, args, options);
  const timeoutMs = options.timeoutMs ?? 60_000;
  let stdout = "", stderr = "";
  child.stdout?.setEncoding("utf8").on("data", (text: string) => stdout += text);
  child.stderr?.setEncoding("utf8").on("data", (text: string) => stderr += text);
  // A child that ends without reading its input breaks the pipe; how it ended is the answer.
  child.stdin?.on("error", () => {}).end(options.input ?? "");
  return await new Promise<RunResult>((resolve, reject) => {
    const timer = setTimeout(() => {
      child.kill("SIGKILL");
      reject(new Error(`${entry} ran longer than ${timeoutMs} ms\n${stdout}${stderr}`));
    }, timeoutMs);
    child.once("error", (error) => {
      clearTimeout(timer);
      reject(error);
    });
    child.once("close", (code, signal) => {
      clearTimeout(timer);
      resolve({ code, signal, stdout, stderr });
    });
  });
}

function scriptArgs(entry: string): string[] {
  const deno = process.versions["deno"] !== undefined ? ["run", "-A"] : [];
  if (import.meta.url.endsWith(".ts")) return [...deno, join(root(), "spec", entry)];
  return [...deno, join(root(), "dist-spec", entry.replace(/\.ts$/, ".js"))];
}
