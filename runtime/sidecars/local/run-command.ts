import { type ChildProcess, spawn } from "node:child_process";
import { join } from "node:path";
import { performance } from "node:perf_hooks";
import type { Readable } from "node:stream";
import type { Failure } from "../../../machines/failure.ts";
import type { RunOptions, RunOutput, RunResult } from "../provider.ts";
import type { Cell } from "./cell.ts";
import { LogFile } from "./log-file.ts";
import { readOomCount, wasOom } from "./oom-counter.ts";
import { settleWithin } from "./settle-within.ts";

/** Where and with what a command runs. */
export interface CommandPlace {
  readonly cell: Cell;
  /** The working directory as the cell's processes see it. */
  readonly cwd: string;
  /** The whole environment. */
  readonly env: Readonly<Record<string, string>>;
  /** A directory for the logs when the caller wants none. */
  readonly logDir: string;
}

interface End {
  readonly code: number | null;
  readonly signal: string | null;
  readonly error?: Error;
}

const LOG_POLL_MS = 100;
const DEATH_MS = 10_000;
/** 24 days; a timer that is set for longer fires at once. */
const LONGEST_TIMER_MS = 2 ** 31 - 1;

// Says on the third descriptor that the working directory was entered: what ends before that is no
// result of the command. The command's own shell takes the place of this one.
const LAUNCH = `cd -- "$1" || exit 126; printf s >&3; exec 3>&-; exec sh -c "$2"`;

/** Runs one command in a cell and classifies how it ended; see {@link RunResult}. */
export async function runCommand(
  place: CommandPlace,
  command: string,
  options: RunOptions,
): Promise<RunResult> {
  const oomBefore = readOomCount();
  const startedAt = performance.now();
  let stdout: LogFile | undefined;
  let stderr: LogFile | undefined;
  const output = (): RunOutput => ({
    durationMs: performance.now() - startedAt,
    stdoutTail: stdout?.tail() ?? "",
    stderrTail: stderr?.tail() ?? "",
  });
  const lost = (failure: Failure): RunResult => ({ kind: "lost", ...output(), failure });
  const limiter = setInterval(() => {
    stdout?.limit();
    stderr?.limit();
  }, LOG_POLL_MS);
  try {
    const logs = options.logs ??
      { stdout: join(place.logDir, "stdout"), stderr: join(place.logDir, "stderr") };
    const limits = {
      maxBytes: options.maxLogBytes ?? 67_108_864,
      tailBytes: options.tailBytes ?? 65_536,
    };
    stdout = new LogFile(logs.stdout, limits);
    stderr = new LogFile(logs.stderr, limits);
    const { cell } = place;
    if (options.signal.aborted) return lost(CANCELLED);
    if (!cell.alive()) return lost(cellLost("before the command started"));
    const launch = start(place, command, options, [stdout.fd, stderr.fd]);
    const decided = await firstOf(launch, options);
    if (decided !== "ended") {
      await cell.end();
      await settleWithin(launch.ended, DEATH_MS);
      return decided === "timeout" ? { kind: "timeout", ...output() } : lost(CANCELLED);
    }
    const end = await launch.ended;
    const started = await launch.started;
    if (end.error !== undefined) return lost(notStarted(end.error.message));
    const killed = end.signal === "SIGKILL" || end.code === 137;
    if (!cell.alive()) return lost(cellLost("while the command ran"));
    if (!started) return lost(notStarted(stderr.tail().trim() || `ended with ${end.code}`));
    const failed = end.signal !== null || end.code !== 0;
    const oom = wasOom(oomBefore, readOomCount(), { failed, killed });
    return end.signal !== null
      ? { kind: "signal", ...output(), name: end.signal, oom }
      : { kind: "exit", ...output(), code: end.code ?? 0, oom };
  } catch (error) {
    return lost({
      code: "sandbox-failed",
      message: error instanceof Error ? error.message : String(error),
      class: "sidecar-lost",
    });
  } finally {
    clearInterval(limiter);
    stdout?.close();
    stderr?.close();
  }
}

interface Launch {
  readonly ended: Promise<End>;
  readonly started: Promise<boolean>;
}

function start(
  place: CommandPlace,
  command: string,
  options: RunOptions,
  outputs: readonly [number, number],
): Launch {
  const [file = "", ...args] = place.cell.enter(["sh", "-c", LAUNCH, "sh", place.cwd, command]);
  const child = spawn(file, args, {
    cwd: "/",
    env: { ...place.env, ...options.env, ...place.cell.env, PWD: place.cwd },
    stdio: ["ignore", ...outputs, "pipe"],
    // A session of its own: no terminal to read from, no group in common with us to be signalled.
    detached: true,
  });
  place.cell.adopt(child);
  return { ended: endOf(child), started: hasData(child.stdio[3] as Readable | null) };
}

function endOf(child: ChildProcess): Promise<End> {
  return new Promise((resolve) => {
    child.once("exit", (code, signal) => resolve({ code, signal }));
    child.once("error", (error) => resolve({ code: null, signal: null, error }));
  });
}

async function hasData(stream: Readable | null): Promise<boolean> {
  if (stream === null) return false;
  return await new Promise((resolve) => {
    let seen = false;
    stream.on("data", () => seen = true);
    stream.once("close", () => resolve(seen));
    stream.once("error", () => resolve(seen));
  });
}

async function firstOf(
  launch: Launch,
  options: RunOptions,
): Promise<"ended" | "timeout" | "cancelled"> {
  return await new Promise((resolve) => {
    const settle = (what: "ended" | "timeout" | "cancelled") => {
      clearTimeout(timer);
      options.signal.removeEventListener("abort", abort);
      resolve(what);
    };
    const abort = () => settle("cancelled");
    const timeoutMs = Math.min(options.timeoutMs, LONGEST_TIMER_MS);
    const timer = setTimeout(() => settle("timeout"), timeoutMs);
    options.signal.addEventListener("abort", abort, { once: true });
    void launch.ended.then(() => settle("ended"));
  });
}

const CANCELLED: Failure = {
  code: "cancelled",
  message: "The command was cancelled.",
  class: "permanent",
};

function cellLost(when: string): Failure {
  return {
    code: "sidecar-lost",
    message: `The sandbox's processes were killed from outside ${when}.`,
    class: "sidecar-lost",
  };
}

function notStarted(message: string): Failure {
  return {
    code: "command-not-started",
    message: `The command could not be started: ${message}`,
    class: "permanent",
  };
}
