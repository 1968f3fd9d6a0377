import { type ChildProcess, execFile, spawn } from "node:child_process";
import { createHash } from "node:crypto";
import { mkdir, realpath, writeFile } from "node:fs/promises";
import { createConnection } from "node:net";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import process from "node:process";
import { promisify } from "node:util";
import { formatHostName } from "../../runtime/sidecars/host-name.ts";
import type { HostSpec } from "../../runtime/sidecars/host-provider.ts";
import { until } from "./processes.ts";
import { tempDir } from "./temp-dir.ts";

/** Podman on a socket of its own, with images made from this machine's programs. */
export interface PodmanService {
  /** The path of the socket. */
  readonly socket: string;
  /** An image with a shell, git, tar and the tools of coreutils. */
  readonly image: string;
  /** An image with nothing but sh, cat and sleep. */
  readonly bareImage: string;
  /** An image without any program. */
  readonly emptyImage: string;
  /** The owner in the names of all hosts made for this service. */
  readonly owner: string;
  /** A host to be made, with a name of this owner. */
  hostSpec(index: number): HostSpec;
  /** Runs `podman` on the same storage, past the service, and answers its standard output. */
  podman(...args: readonly string[]): Promise<string>;
  /** Kills the service with SIGKILL. Its containers live on. */
  kill(): Promise<void>;
  /** Starts the service again, on the same socket. */
  start(): Promise<void>;
  /** Ends the service and removes its owner's containers. */
  stop(): Promise<void>;
}

// Rootful Podman inside a container: without CAP_SYS_RESOURCE the limits cannot be raised, there is
// no systemd for cgroups or events, and crun refuses a hybrid cgroup tree. Every command that was
// started by the API leaves two processes for as many seconds as the delay says: 300 by default.
const CONFIG = `[containers]
default_ulimits=["nofile=20000:20000","nproc=32768:32768"]
[engine]
runtime="runc"
cgroup_manager="cgroupfs"
events_logger="file"
exit_command_delay=10
[network]
network_backend="netavark"
`;

const TOOLS =
  "sh bash git cat sleep tar gzip stty setsid head tail wc cp mv rm mkdir rmdir ln ls " +
  "chmod chown touch mktemp ps kill env id uname dd od base64 sha1sum sha256sum sort find xargs " +
  "sed grep awk test true false echo printf tr cut expr basename dirname readlink stat seq yes " +
  "tee date mkfifo timeout cmp diff uniq du df nohup";

// A root file system of this machine's own programs and the libraries they are linked to: an image
// that is real, without a download, in half a second.
const BUILD = `
set -eu
cd "$1"
[ ! -e ready ] || exit 0
rootfs() {
  out=$1; shift
  rm -rf "$out"
  for dir in usr/bin usr/sbin usr/lib usr/lib64 etc root tmp proc sys dev; do mkdir -p "$out/$dir"; done
  chmod 1777 "$out/tmp"
  for link in bin sbin lib lib64; do
    if [ -L "/$link" ]; then cp -P "/$link" "$out/$link"; else mkdir -p "$out/$link"; fi
  done
  echo 'root:x:0:0:root:/root:/bin/sh' >"$out/etc/passwd"
  echo 'root:x:0:' >"$out/etc/group"
  for name; do
    path=$(command -v "$name" || true)
    case $path in /*) ;; *) path=/usr/bin/$name ;; esac
    cp -L "$path" "$out/usr/bin/$name"
    ldd "$path" 2>/dev/null | grep -oE '/[^ ]+' || true
  done | sort -u | while read -r lib; do mkdir -p "$out\${lib%/*}"; cp -L "$lib" "$out$lib"; done
}
rootfs base ${TOOLS}
rootfs bare sh cat sleep
rootfs empty
for name in base bare empty; do
  tar -C $name -c . | podman --root "$1/root" --runroot "$1/run" import -q - localhost/sidecanary-spec:$name
  rm -rf $name
done
touch ready
`;

const run = promisify(execFile);

/**
 * Starts Podman's service. Images and containers are in a folder below the system's temporary one,
 * which stays for the next run.
 *
 * @throws Error where Podman is not installed, or cannot import an image
 */
export async function podmanService(): Promise<PodmanService> {
  const dir = await cache();
  const env = { ...process.env, CONTAINERS_CONF: join(dir, "containers.conf") };
  const globals = ["--root", join(dir, "root"), "--runroot", join(dir, "run")];
  const podman = async (...args: readonly string[]) => {
    const options = { env, timeout: 60_000, maxBuffer: 16 * 2 ** 20 };
    return (await run("podman", [...globals, ...args], options)).stdout;
  };
  await run("flock", [join(dir, "lock"), "sh", "-c", BUILD, "build", dir], {
    env,
    timeout: 120_000,
  });
  const socket = join(await tempDir(), "podman.sock");
  const owner = Math.random().toString(36).slice(2, 10).padEnd(8, "0");
  let child: ChildProcess | undefined;
  const start = async () => {
    const args = [...globals, "system", "service", "--time=0", `unix://${socket}`];
    // conmon leaves a file "oom" where it was started.
    const started = spawn("podman", args, { env, cwd: dirname(socket), stdio: "ignore" });
    child = started;
    process.once("exit", () => started.kill("SIGKILL"));
    await until("podman's service answers", () => {
      if (started.exitCode !== null) throw new Error(`podman ended with ${started.exitCode}`);
      return answers(socket);
    });
  };
  const kill = async () => {
    const killed = child;
    if (killed === undefined) return;
    child = undefined;
    const ended = new Promise((resolve) => killed.once("exit", resolve));
    killed.kill("SIGKILL");
    await ended;
  };
  await start();
  const expiresAt = Date.now() + 600_000;
  return {
    socket,
    image: "localhost/sidecanary-spec:base",
    bareImage: "localhost/sidecanary-spec:bare",
    emptyImage: "localhost/sidecanary-spec:empty",
    owner,
    hostSpec: (index) => ({
      name: formatHostName({ owner, run: "spec", index, expiresAt }),
      index,
      expiresAt,
    }),
    podman,
    kill,
    start,
    stop: async () => {
      await kill();
      const filter = `label=sidecanary.owner=${owner}`;
      const ids = (await podman("ps", "-aq", "--filter", filter)).split("\n").filter(Boolean);
      if (ids.length > 0) await podman("rm", "-f", "-t", "0", ...ids);
    },
  };
}

async function cache(): Promise<string> {
  const { stdout: version } = await run("podman", ["--version"]);
  const key = createHash("sha256").update(version + CONFIG + BUILD).digest("hex").slice(0, 12);
  const dir = join(await realpath(tmpdir()), `sidecanary-podman-${process.getuid?.()}-${key}`);
  await mkdir(dir, { recursive: true, mode: 0o700 });
  await writeFile(join(dir, "containers.conf"), CONFIG);
  return dir;
}

async function answers(socket: string): Promise<boolean> {
  return await new Promise((resolve) => {
    const connection = createConnection(socket);
    connection.once("connect", () => resolve(true));
    connection.once("error", () => resolve(false));
    connection.once("close", () => resolve(false));
    connection.once("connect", () => connection.destroy());
  });
}
