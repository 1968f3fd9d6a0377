import { spawn } from "node:child_process";
import { realpath, stat } from "node:fs/promises";
import { readFileSync } from "node:fs";
import process from "node:process";
import { SidecanaryError } from "../errors.ts";
import { findExposed } from "./exposed.ts";
import type { InstanceCell, Isolation } from "./instance-cell.ts";
import { instanceDir, makeInstanceDir, removeInstanceDir } from "./instance-dir.ts";
import { type NamespacePlan, openNamespaces } from "./namespaces.ts";
import { openShared } from "./shared-user.ts";
import type { ServeLimits } from "./serve-limits.ts";

/** How instances are to be kept apart. */
export interface IsolationOptions {
  /**
   * `none`: a loopback of its own and nothing else. `host`: the machine's network, where instances
   * reach each other's ports and everything that listens on this machine's loopback.
   * @default "none"
   */
  readonly network?: "none" | "host";
  /**
   * Where namespaces do not work: run every instance as the server's own user with no walls at all.
   * @default false
   */
  readonly sharedUserUnsafe?: boolean;
  /** Further directories that instances see, for reading. @default [] */
  readonly expose?: readonly string[];
  /** What instances must not see although it is below an exposed directory. @default [] */
  readonly hide?: readonly string[];
}

// Overlays in a namespace below the instance's own are what the lanes of a campaign are made of.
const TRIAL = `
set -e
test "$(id -u)" = 1000
mkdir -p "$TMPDIR/p/l" "$TMPDIR/p/u" "$TMPDIR/p/w" "$TMPDIR/p/m"; cd "$TMPDIR/p"; echo 1 > l/a
unshare -Urm sh -c 'mount -t overlay p -o lowerdir=l,upperdir=u,workdir=w,userxattr m; mv m/a m/b'
test -e u/b`;

/**
 * Finds out how instances can be kept apart, by making one and running commands in it.
 *
 * @throws SidecanaryError `sandbox-unavailable` with the reason, where they cannot be and
 *   `sharedUserUnsafe` was not asked for
 */
export async function chooseIsolation(
  options: IsolationOptions,
  limits: Pick<ServeLimits, "processes" | "fileBytes">,
  stateDir: string,
  signal: AbortSignal,
): Promise<Isolation> {
  let reason: string;
  try {
    if (process.platform !== "linux") throw new Error(`there are none on ${process.platform}`);
    const isolation = await namespaces(options, limits);
    await tryOut(isolation, stateDir, signal);
    return isolation;
  } catch (error) {
    signal.throwIfAborted();
    reason = error instanceof Error ? error.message : String(error);
  }
  if (options.sharedUserUnsafe) {
    const description = "no isolation: all instances are the server's own user";
    return { description, uids: undefined, open: openShared };
  }
  throw new SidecanaryError(
    "sandbox-unavailable",
    `Instances cannot be kept apart here: ${reason}. Allow unprivileged user namespaces and install ` +
      "util-linux and iproute2, or use --shared-user-unsafe where everybody who has a token may do " +
      "everything that this user may.",
    { wanted: "namespaces", reason },
  );
}

async function namespaces(
  { network = "none", expose = [], hide = [] }: IsolationOptions,
  { processes, fileBytes }: Pick<ServeLimits, "processes" | "fileBytes">,
): Promise<Isolation> {
  const hidden: { path: string; kind: "dir" | "file" }[] = [];
  for (const each of hide) {
    const path = await realpath(each);
    hidden.push({ path, kind: (await stat(path)).isDirectory() ? "dir" : "file" });
  }
  const plan: NamespacePlan = {
    exposed: await findExposed(expose),
    hidden,
    hostNetwork: network === "host",
    processes,
    fileBytes,
  };
  const uids = process.getuid?.() === 0 ? firstFreeId() : undefined;
  const users = uids === undefined ? "" : " and a user each";
  const net = plan.hostNetwork ? "the machine's network" : "no network";
  return {
    description: `namespaces${users}, ${net}`,
    uids,
    open: (request) => openNamespaces(plan, request),
  };
}

/**
 * Ids that nobody has: far above all ranges in use, or the end of what this container was given;
 * `undefined` where root may become hardly anybody.
 */
function firstFreeId(): number | undefined {
  const lines = readFileSync("/proc/self/uid_map", "latin1").trim().split("\n");
  const ranges = lines.map((line) => line.trim().split(/\s+/).map(Number));
  const far = 1_900_000_000;
  const within = ([first = 0, , count = 0]: number[]) => first <= far && far < first + count;
  if (ranges.some(within)) return far;
  const [first = 0, , count = 0] = ranges.at(-1) ?? [];
  return count < 4_000 ? undefined : first + count - 2_000;
}

async function tryOut(isolation: Isolation, stateDir: string, signal: AbortSignal): Promise<void> {
  const dir = instanceDir(stateDir, "probe");
  let cell: InstanceCell | undefined;
  try {
    await makeInstanceDir(dir, isolation.uids);
    cell = await isolation.open({ id: "probe", dir, uid: isolation.uids, signal });
    const { file, args, env, cwd } = cell.enter(["sh", "-c", TRIAL]);
    const child = spawn(file, args, { env, cwd, stdio: ["ignore", "ignore", "pipe", "ignore"] });
    let stderr = "";
    child.stderr?.setEncoding("utf8").on("data", (text: string) => stderr += text.slice(0, 4_096));
    const code = await new Promise<number | null>((resolve, reject) => {
      child.once("error", reject);
      child.once("close", resolve);
    });
    if (code !== 0) throw new Error(`an overlay inside did not work: ${stderr.trim()}`);
  } finally {
    await cell?.end();
    await removeInstanceDir(dir);
  }
}
