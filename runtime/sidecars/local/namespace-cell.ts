import { type ChildProcess, spawn } from "node:child_process";
import { readFileSync, readlinkSync } from "node:fs";
import process from "node:process";
import { SidecanaryError } from "../../errors.ts";
import type { Cell } from "./cell.ts";
import { settleWithin } from "./settle-within.ts";

/** Which right the namespaces are made by: root's, or a user namespace of one's own. */
export type Privilege = "root" | "user-namespace";

/** How a {@link NamespaceCell} is made. */
export interface NamespaceCellOptions {
  readonly privilege: Privilege;
  /** The working directory of `setup`. */
  readonly cwd: string;
  /** Shell commands that mount, with `args` as `$1`, `$2`, …; a failing one fails the cell. */
  readonly setup: string;
  readonly args: readonly string[];
  readonly signal: AbortSignal;
}

const END_MS = 10_000;

// The first process of a process namespace: it reads a pipe that only we hold the other end of, no
// signal from within reaches it, and with it the kernel ends all others. Ignoring SIGCHLD lets the
// kernel reap what the commands abandon.
const FIRST_PROCESS = `trap '' CHLD; echo ready; exec cat >/dev/null 2>&1`;

/** A cell in a mount namespace and a process namespace of its own. */
export class NamespaceCell implements Cell {
  readonly view: string;
  readonly env = {};
  readonly #privilege: Privilege;
  readonly #pid: number;
  readonly #holder: ChildProcess;
  readonly #ended: Promise<void>;

  private constructor(
    privilege: Privilege,
    pid: number,
    holder: ChildProcess,
    ended: Promise<void>,
  ) {
    this.view = `/proc/${pid}/root`;
    this.#privilege = privilege;
    this.#pid = pid;
    this.#holder = holder;
    this.#ended = ended;
  }

  /**
   * @throws SidecanaryError `sidecar-failed` with what the kernel or `mount` said
   */
  static async open(options: NamespaceCellOptions): Promise<NamespaceCell> {
    options.signal.throwIfAborted();
    const userArgs = options.privilege === "root"
      ? []
      : ["--user", "--map-current-user", "--keep-caps"];
    const namespaceArgs = ["--mount", "--pid", "--fork", "--kill-child", "--mount-proc"];
    const script = `set -e\n${options.setup}\n${FIRST_PROCESS}`;
    const holder = spawn("unshare", [
      ...userArgs,
      ...namespaceArgs,
      ...["sh", "-c", script, "sh", ...options.args],
    ], { cwd: options.cwd, stdio: ["pipe", "pipe", "pipe"], detached: true });
    const ended = new Promise<void>((resolve) => {
      holder.once("exit", () => resolve());
      holder.once("error", () => resolve());
    });
    const abort = () => void holder.kill("SIGKILL");
    options.signal.addEventListener("abort", abort, { once: true });
    try {
      await ready(holder);
      return new NamespaceCell(options.privilege, firstChildOf(holder.pid ?? 0), holder, ended);
    } catch (error) {
      holder.kill("SIGKILL");
      holder.stdin?.destroy();
      await ended;
      options.signal.throwIfAborted();
      throw error;
    } finally {
      options.signal.removeEventListener("abort", abort);
    }
  }

  enter(argv: readonly string[]): readonly string[] {
    const userArgs = this.#privilege === "root" ? [] : ["--user", "--preserve-credentials"];
    return ["nsenter", `--target=${this.#pid}`, ...userArgs, "--mount", "--pid", "--", ...argv];
  }

  adopt(): void {}

  alive(): boolean {
    if (this.#holder.exitCode !== null || this.#holder.signalCode !== null) return false;
    try {
      // A process that is being ended has no root any more, long before its parent hears of it.
      readlinkSync(`${this.view}`);
      return true;
    } catch {
      return false;
    }
  }

  async end(): Promise<void> {
    this.#holder.stdin?.destroy();
    if (await settleWithin(this.#ended, END_MS / 2)) return;
    try {
      process.kill(this.#pid, "SIGKILL");
    } catch {
      // It is gone already; the wait below tells.
    }
    if (await settleWithin(this.#ended, END_MS / 2)) return;
    throw new SidecanaryError(
      "sidecar-failed",
      `The processes of the sandbox (first one: ${this.#pid}) did not end within ${END_MS} ms of ` +
        "being killed; they may be stuck in the kernel. Look for them with ps and end them.",
      { sidecar: `pid ${this.#pid}` },
    );
  }
}

async function ready(holder: ChildProcess): Promise<void> {
  let stderr = "";
  holder.stdin?.on("error", () => {});
  holder.stderr?.setEncoding("utf8").on("data", (text: string) => stderr += text);
  await new Promise<void>((resolve, reject) => {
    const fail = (cause: unknown) =>
      reject(
        new SidecanaryError(
          "sidecar-failed",
          `The namespaces of a sandbox could not be made: ${stderr.trim() || String(cause)}`,
          { sidecar: "local" },
          cause,
        ),
      );
    holder.stdout?.once("data", () => resolve());
    holder.once("error", fail);
    holder.once("close", (code, signal) => fail(`unshare ended with ${code ?? signal}`));
  });
}

/** @throws SidecanaryError `sidecar-failed` where the kernel does not tell, or it has ended already */
function firstChildOf(pid: number): number {
  let children = "";
  let cause: unknown;
  try {
    children = readFileSync(`/proc/${pid}/task/${pid}/children`, "latin1");
  } catch (error) {
    cause = error;
  }
  const first = Number.parseInt(children, 10);
  if (first > 0) return first;
  throw new SidecanaryError(
    "sidecar-failed",
    `The first process of a sandbox could not be found below unshare (${pid})` +
      (cause === undefined ? "" : `: ${String(cause)}`),
    { sidecar: "local" },
    cause,
  );
}
