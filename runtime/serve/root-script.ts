import { type Exposed, isWithin } from "./exposed.ts";

/** What the root of an instance is made of. */
export interface RootPlan {
  readonly exposed: readonly Exposed[];
  /** Files and directories that are not to be seen although they are below an exposed one. */
  readonly hidden: readonly { readonly path: string; readonly kind: "dir" | "file" }[];
  /** Whether the instance shares the machine's network. */
  readonly hostNetwork: boolean;
  /** The id outside that the instance's user is; `undefined` for the server's own. */
  readonly uid: number | undefined;
}

/** The user's id inside of an instance, and its group's. */
export const INSIDE_ID = 1_000;

const ACCOUNTS = {
  passwd: [
    "root:x:0:0:root:/root:/bin/sh",
    `user:x:${INSIDE_ID}:${INSIDE_ID}:user:/home/user:/bin/sh`,
    "nobody:x:65534:65534:nobody:/nonexistent:/bin/false",
  ],
  group: ["root:x:0:", `user:x:${INSIDE_ID}:`, "nogroup:x:65534:"],
  hosts: ["127.0.0.1 localhost sidecar", "::1 localhost"],
};

/**
 * The script that builds the root of an instance in a mount namespace of its own and then becomes the
 * instance's first process. It runs in the instance's directory, which has `home`, `tmp` and `root`.
 *
 * The root is an empty file system with the exposed directories bound into it for reading, so what is
 * not named is not there: other instances, the server's state, the machine's homes. The old root is
 * detached before anything of the instance runs. The first process holds a pipe whose other end only
 * the server has; when it closes, for whatever reason, the kernel kills every process of the instance.
 */
export function rootScript(plan: RootPlan): string {
  const { exposed, hidden, hostNetwork, uid } = plan;
  const lines = [
    "set -e; umask 022",
    "mount -t tmpfs -o mode=0755,size=16m,nosuid,nodev tmpfs root",
    // Needed visible for mounting one's own over it.
    "mkdir root/proc; mount --rbind /proc root/proc",
    "mkdir -p root/dev root/sys root/tmp root/var root/run root/home/user root/.old",
    "for name in null zero full random urandom tty; do",
    '  : > "root/dev/$name"; mount --bind "/dev/$name" "root/dev/$name"',
    "done",
    "mkdir root/dev/pts root/dev/shm",
    "mount -t devpts -o newinstance,ptmxmode=0666,mode=0620 devpts root/dev/pts",
    "ln -s pts/ptmx root/dev/ptmx; ln -s /proc/self/fd root/dev/fd",
    "ln -s fd/0 root/dev/stdin; ln -s fd/1 root/dev/stdout; ln -s fd/2 root/dev/stderr",
    "mount -t tmpfs -o mode=1777,size=64m,nosuid,nodev tmpfs root/dev/shm",
    "ln -s ../tmp root/var/tmp",
    "mount --bind -o nosuid,nodev home root/home/user; mount --bind tmp root/tmp",
    "if [ -d /sys/devices/system/cpu ]; then",
    "  mkdir -p root/sys/devices/system/cpu",
    "  mount --bind /sys/devices/system/cpu root/sys/devices/system/cpu",
    "fi",
    // After the places of the instance, which an exposed directory may be in.
    ...exposed.flatMap(expose),
    ...Object.entries(ACCOUNTS).flatMap(([name, text]) => account(name, text)),
    ...hidden.filter(({ path }) => exposed.some((each) => isWithin(path, each.path))).map(hide),
    "cd root; pivot_root . .old; umount -l /.old; rmdir /.old",
    "mount -o remount,bind,ro,nosuid,nodev /; cd /",
  ];
  const user = uid === undefined
    ? ""
    : `setpriv --reuid=${uid} --regid=${uid} --clear-groups --inh-caps=-all `;
  const first = [
    "set -e",
    ...(hostNetwork ? [] : ["ip link set lo up 2>/dev/null || ifconfig lo up"]),
    "hostname sidecar 2>/dev/null || :",
    // The kernel reaps what the commands abandon.
    "trap '' CHLD",
    "echo ready",
    "exec cat >/dev/null 2>&1",
  ].join("\n");
  lines.push(
    `exec ${user}unshare --user --map-user=${INSIDE_ID} --map-group=${INSIDE_ID} --keep-caps ` +
      `${namespaceFlags(hostNetwork).join(" ")} --fork --kill-child --mount-proc ` +
      `sh -c ${quote(first)}`,
  );
  return lines.join("\n");
}

/** The namespaces beside the user's, as unshare and nsenter name them. */
export function namespaceFlags(hostNetwork: boolean): string[] {
  return ["--mount", "--pid", "--ipc", "--uts", ...(hostNetwork ? [] : ["--net"])];
}

function expose(each: Exposed): string[] {
  const at = quote(`root${each.path}`);
  if (each.kind === "link") return [`ln -s ${quote(each.target)} ${at}`];
  const make = each.kind === "dir"
    ? `mkdir -p ${at}`
    : `mkdir -p ${quote(`root${parent(each.path)}`)}; : > ${at}`;
  const readOnly = each.mounts.map(({ below, flags }) => {
    const options = ["remount", "bind", "ro", ...new Set(["nosuid", "nodev", ...flags])];
    return `mount -o ${options.join(",")} ${quote(`root${each.path}${below}`)}`;
  });
  return [`${make}; mount --rbind ${quote(each.source)} ${at}`, ...readOnly];
}

function account(name: string, text: readonly string[]): string[] {
  const file = `root/.${name}`;
  return [
    `printf '%s\\n' ${text.map(quote).join(" ")} > ${file}`,
    `if [ -e root/etc/${name} ]; then mount --bind ${file} root/etc/${name}; fi`,
  ];
}

function hide({ path, kind }: { readonly path: string; readonly kind: "dir" | "file" }): string {
  const at = quote(`root${path}`);
  return kind === "dir"
    ? `mount -t tmpfs -o mode=0000,size=4k,ro tmpfs ${at}`
    : `mount --bind /dev/null ${at}`;
}

function parent(path: string): string {
  return path.slice(0, path.lastIndexOf("/"));
}

function quote(text: string): string {
  return `'${text.replaceAll("'", `'\\''`)}'`;
}
