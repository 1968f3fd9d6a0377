import { spawn } from "node:child_process";
import process from "node:process";

/** How a command is run. */
export interface RunOptions {
  /** The working directory. */
  readonly cwd: string;
  /**
   * Variables over the environment of this process.
   * @default {}
   */
  readonly env?: Readonly<Record<string, string>>;
  /**
   * After how many milliseconds the whole process group is killed.
   * @default no limit
   */
  readonly timeoutMs?: number;
}

/** How a command ended. `output` is both streams as they came. */
export interface RunResult {
  readonly code: number | null;
  readonly signal: string | null;
  readonly timedOut: boolean;
  readonly output: string;
  readonly ms: number;
}

/** Runs a command in a process group of its own, without standard input. Nothing of it stays. */
export function run(
  command: string,
  args: readonly string[],
  options: RunOptions,
): Promise<RunResult> {
  const start = performance.now();
  const child = spawn(command, args, {
    cwd: options.cwd,
    env: { ...process.env, ...options.env },
    stdio: ["ignore", "pipe", "pipe"],
    detached: true,
  });
  let output = "", timedOut = false;
  child.stdout.setEncoding("utf8").on("data", (text: string) => output += text);
  child.stderr.setEncoding("utf8").on("data", (text: string) => output += text);
  const killGroup = (): void => {
    try {
      if (child.pid !== undefined) process.kill(-child.pid, "SIGKILL");
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code !== "ESRCH") throw error;
    }
  };
  // A group of its own does not hear of a Ctrl-C at the terminal; other commands may run beside it.
  const stop = (signal: NodeJS.Signals): void => process.exit(signal === "SIGINT" ? 130 : 143);
  process.on("SIGINT", stop).on("SIGTERM", stop).on("exit", killGroup);
  const settle = (): void => {
    clearTimeout(timer);
    process.off("SIGINT", stop).off("SIGTERM", stop).off("exit", killGroup);
  };
  const timer = options.timeoutMs === undefined ? undefined : setTimeout(() => {
    timedOut = true;
    killGroup();
  }, options.timeoutMs);
  return new Promise((resolve, reject) => {
    child.once("error", (error) => {
      settle();
      reject(error);
    });
    // What a finished command left running would hold the pipes open.
    child.once("exit", killGroup);
    child.once("close", (code, signal) => {
      settle();
      resolve({ code, signal, timedOut, output, ms: performance.now() - start });
    });
  });
}
