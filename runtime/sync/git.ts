import { spawn } from "node:child_process";
import { Buffer } from "node:buffer";
import process from "node:process";
import { SidecanaryError } from "../errors.ts";

/** Where and how one git command runs. */
export interface GitOptions {
  /** The directory that git starts in. */
  readonly cwd: string;
  /**
   * Whose configuration counts: the user's own, for questions about the user's repository, or none
   * at all, for a scratch repository.
   * @default "none"
   */
  readonly config?: "user" | "none";
  /**
   * The repository, where it is not to be discovered from `cwd`.
   * @default undefined
   */
  readonly gitDir?: string | undefined;
  /** @default undefined */
  readonly workTree?: string | undefined;
  /** @default undefined */
  readonly indexFile?: string | undefined;
  /**
   * Further variables. Inherited `GIT_*` variables never reach git: a hook would set them to its own
   * repository.
   * @default {}
   */
  readonly env?: Readonly<Record<string, string>>;
  /**
   * What git reads from its standard input: bytes, or the descriptor of an open file.
   * @default nothing
   */
  readonly input?: Uint8Array | number | undefined;
  /**
   * The descriptor of an open file that takes the standard output, which is then not answered.
   * @default undefined
   */
  readonly output?: number | undefined;
  /** Kills git when it fires. */
  readonly signal?: AbortSignal | undefined;
}

/** What git answered. `exitCode` is null where a signal ended it. */
export interface GitResult {
  readonly stdout: Buffer;
  readonly stderr: string;
  readonly exitCode: number | null;
}

/** The oldest git whose options we use. */
const OLDEST = [2, 30] as const;

/**
 * Runs git without a shell and answers whatever its exit code was.
 *
 * @throws SidecanaryError `git-failed` when git cannot be started
 * @throws the signal's reason when it was aborted
 */
export async function runGit(args: readonly string[], options: GitOptions): Promise<GitResult> {
  const { cwd, input, output, signal } = options;
  signal?.throwIfAborted();
  const child = spawn("git", args, {
    cwd,
    env: environment(options),
    stdio: [
      typeof input === "number" ? input : input === undefined ? "ignore" : "pipe",
      output ?? "pipe",
      "pipe",
    ],
    windowsHide: true,
  });
  const kill = () => void child.kill("SIGKILL");
  signal?.addEventListener("abort", kill, { once: true });
  try {
    const stdout: Buffer[] = [];
    const stderr: Buffer[] = [];
    child.stdout?.on("data", (chunk: Buffer) => stdout.push(chunk));
    child.stderr?.on("data", (chunk: Buffer) => stderr.push(chunk));
    const ended = new Promise<number | null>((resolve, reject) => {
      child.on("error", (cause) => reject(notStarted(args, cause)));
      child.on("close", resolve);
      child.stdin?.on("error", (cause: NodeJS.ErrnoException) => {
        // git may answer before it has read everything; its exit code tells.
        if (cause.code !== "EPIPE" && cause.code !== "ECONNRESET") reject(cause);
      });
    });
    if (typeof input !== "number") child.stdin?.end(input);
    const exitCode = await ended;
    signal?.throwIfAborted();
    return {
      stdout: Buffer.concat(stdout),
      stderr: Buffer.concat(stderr).toString("utf8").trimEnd(),
      exitCode,
    };
  } finally {
    signal?.removeEventListener("abort", kill);
  }
}

/**
 * Runs git and answers its standard output.
 *
 * @throws SidecanaryError `git-failed` when its exit code is not 0
 */
export async function git(args: readonly string[], options: GitOptions): Promise<Buffer> {
  const result = await runGit(args, options);
  if (result.exitCode === 0) return result.stdout;
  throw gitFailed(args, result);
}

/** The error for an answer of git that was not expected. */
export function gitFailed(args: readonly string[], result: GitResult): SidecanaryError {
  const { exitCode, stderr } = result;
  const how = exitCode === null ? "was killed" : `ended with exit code ${exitCode}`;
  return new SidecanaryError(
    "git-failed",
    `git ${args.find((arg) => /^[a-z]/.test(arg)) ?? ""} ${how}: ${stderr || "it said nothing"}`,
    { args, exitCode, stderr },
  );
}

/**
 * Makes sure that git is there and new enough.
 *
 * @throws SidecanaryError `git-failed`
 */
export async function checkGit(signal?: AbortSignal): Promise<void> {
  const args = ["version"];
  const answer = (await git(args, { cwd: "/", signal })).toString("utf8").trim();
  const [, major = "0", minor = "0"] = /(\d+)\.(\d+)/.exec(answer) ?? [];
  if (Number(major) > OLDEST[0] || (Number(major) === OLDEST[0] && Number(minor) >= OLDEST[1])) {
    return;
  }
  throw new SidecanaryError(
    "git-failed",
    `Cannot work with "${answer}": install git ${OLDEST.join(".")} or newer`,
    { args, exitCode: 0, stderr: "" },
  );
}

/** What a user may have set to say which configuration and which repository is theirs. */
const USERS_OWN = /^GIT_(CONFIG_.*|CEILING_DIRECTORIES|DISCOVERY_ACROSS_FILESYSTEM)$/;

/** git before 2.32 does not know `GIT_CONFIG_GLOBAL`, and looks where the home folder is. */
const NO_CONFIG = {
  GIT_CONFIG_NOSYSTEM: "1",
  GIT_CONFIG_GLOBAL: "/dev/null",
  GIT_ATTR_NOSYSTEM: "1",
  HOME: "/dev/null",
  XDG_CONFIG_HOME: "/dev/null",
};

function environment(options: GitOptions): Record<string, string> {
  const { config = "none", gitDir, workTree, indexFile, env = {} } = options;
  const clean: Record<string, string> = {};
  for (const [name, value] of Object.entries(process.env)) {
    if (value === undefined) continue;
    if (name.startsWith("GIT_") && !(config === "user" && USERS_OWN.test(name))) continue;
    if (name.startsWith("LC_") || name === "LANGUAGE") continue;
    clean[name] = value;
  }
  return {
    ...clean,
    LC_ALL: "C",
    GIT_OPTIONAL_LOCKS: "0",
    GIT_TERMINAL_PROMPT: "0",
    GIT_NO_LAZY_FETCH: "1",
    GIT_PAGER: "cat",
    ...(config === "none" ? NO_CONFIG : {}),
    ...(gitDir === undefined ? {} : { GIT_DIR: gitDir }),
    ...(workTree === undefined ? {} : { GIT_WORK_TREE: workTree }),
    ...(indexFile === undefined ? {} : { GIT_INDEX_FILE: indexFile }),
    ...env,
  };
}

function notStarted(args: readonly string[], cause: Error): SidecanaryError {
  return new SidecanaryError(
    "git-failed",
    `Cannot start git: ${cause.message}. Install git ${OLDEST.join(".")} or newer`,
    { args, exitCode: null, stderr: "" },
    cause,
  );
}
