import { type ChildProcess, spawn } from "node:child_process";
import { readFileSync } from "node:fs";
import process from "node:process";
import { SidecanaryError } from "../errors.ts";
import { settleWithin } from "../sidecars/local/settle-within.ts";
import { commandEnv, commandPath } from "./command-env.ts";
import type { CellRequest, InstanceCell } from "./instance-cell.ts";
import { INSIDE_ID, namespaceFlags, type RootPlan, rootScript } from "./root-script.ts";

/** What all instances in namespaces have in common. */
export interface NamespacePlan extends Omit<RootPlan, "uid"> {
  readonly processes: number;
  readonly fileBytes: number;
}

const END_MS = 10_000;
const HOME = "/home/user";

// A session inside, so that a signal to it does not meet nsenter, which only waits.
// Deno tells its children of further descriptors by a variable.
const LAUNCH = 'cd; printf s >&3; exec 3>&-; unset DENO_EXTRA_STDIO_FDS; exec setsid "$@"';

/**
 * Opens an instance in a user, mount, process, IPC and host name namespace of its own, and a network
 * namespace unless the machine's is shared. Unprivileged, the root is built in a user namespace and
 * the instance lives in one below it; as root, the instance's user is one that exists nowhere else.
 *
 * @throws SidecanaryError `sidecar-failed` with what the kernel or a tool said; the signal's reason
 *   when aborted
 */
export async function openNamespaces(
  plan: NamespacePlan,
  { id, dir, uid, signal }: CellRequest,
): Promise<InstanceCell> {
  signal.throwIfAborted();
  const user = uid === undefined ? ["--user", "--map-root-user"] : [];
  const script = rootScript({ ...plan, uid });
  const holder = spawn("unshare", [...user, "--mount", "sh", "-c", script], {
    cwd: dir,
    env: { PATH: commandPath(plan.exposed) },
    stdio: ["pipe", "pipe", "pipe"],
    detached: true,
  });
  const ended = new Promise<void>((resolve) => {
    holder.once("exit", () => resolve());
    holder.once("error", () => resolve());
  });
  const abort = () => void holder.kill("SIGKILL");
  signal.addEventListener("abort", abort, { once: true });
  try {
    await ready(holder, id);
    return cellOf(plan, holder, ended, uid, id);
  } catch (error) {
    holder.kill("SIGKILL");
    holder.stdin.destroy();
    await ended;
    signal.throwIfAborted();
    throw error;
  } finally {
    signal.removeEventListener("abort", abort);
  }
}

function cellOf(
  plan: NamespacePlan,
  holder: ChildProcess,
  ended: Promise<void>,
  uid: number | undefined,
  id: string,
): InstanceCell {
  const first = firstChildOf(holder.pid ?? 0);
  if (first === undefined) throw failed(id, "its first process ended at once");
  const base = commandEnv(commandPath(plan.exposed), { home: HOME, tmp: "/tmp" });
  const identity = uid === undefined
    ? ["--preserve-credentials"]
    : [`--setuid=${INSIDE_ID}`, `--setgid=${INSIDE_ID}`];
  return {
    holder: holder.pid ?? 0,
    enter: (argv, env = {}) => ({
      file: "prlimit",
      args: [
        ...[`--nproc=${plan.processes}`, `--fsize=${plan.fileBytes}`, "--core=0", "--"],
        ...["nsenter", `--target=${first}`, "--user", ...namespaceFlags(plan.hostNetwork)],
        ...identity,
        "--",
        ...["sh", "-c", LAUNCH, "sh", ...argv],
      ],
      env: { ...base, ...env },
      cwd: "/",
    }),
    announces: true,
    adopt: () => {},
    groupOf: (child) => firstChildOf(child.pid ?? 0),
    ended,
    end: async () => {
      holder.stdin?.destroy();
      if (await settleWithin(ended, END_MS / 2)) return;
      try {
        process.kill(first, "SIGKILL");
      } catch {
        // It is gone already; the wait below tells.
      }
      if (await settleWithin(ended, END_MS / 2)) return;
      throw failed(
        id,
        `its first process (${first}) did not end within ${END_MS} ms of being killed`,
      );
    },
  };
}

async function ready(holder: ChildProcess, id: string): Promise<void> {
  let stderr = "";
  holder.stdin?.on("error", () => {});
  holder.stderr?.setEncoding("utf8").on("data", (text: string) => {
    stderr = (stderr + text).slice(-4_096);
  });
  await new Promise<void>((resolve, reject) => {
    const fail = (cause: unknown) => reject(failed(id, stderr.trim() || String(cause), cause));
    holder.stdout?.once("data", () => resolve());
    holder.once("error", fail);
    holder.once("close", (code, signal) => fail(`unshare ended with ${code ?? signal}`));
  });
}

function firstChildOf(pid: number): number | undefined {
  try {
    const first = Number.parseInt(readFileSync(`/proc/${pid}/task/${pid}/children`, "latin1"), 10);
    return first > 0 ? first : undefined;
  } catch {
    // The process has ended, and its children with it.
    return undefined;
  }
}

function failed(id: string, why: string, cause?: unknown): SidecanaryError {
  return new SidecanaryError("sidecar-failed", `The namespaces of instance ${id} failed: ${why}`, {
    sidecar: id,
  }, cause);
}
