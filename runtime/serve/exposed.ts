import { readFileSync } from "node:fs";
import { lstat, readlink, realpath, stat } from "node:fs/promises";

/** What of this machine an instance sees, for reading only. */
export type Exposed =
  | { readonly kind: "link"; readonly path: string; readonly target: string }
  | {
    readonly kind: "dir" | "file";
    /** Where the instance sees it. */
    readonly path: string;
    /** Without symbolic links. */
    readonly source: string;
    /** The mounts it consists of, outer ones first: below `path`, "" for itself. */
    readonly mounts: readonly { readonly below: string; readonly flags: readonly string[] }[];
  };

/** Programs, libraries and settings of the system. */
const SYSTEM = [
  ...["/usr", "/bin", "/sbin", "/lib", "/lib32", "/lib64", "/libx32"],
  ...["/etc", "/opt", "/nix"],
];

interface Mount {
  readonly point: string;
  readonly flags: readonly string[];
}

// What a bind mount inherits and an unprivileged remount has to repeat (mount_namespaces(7)).
const LOCKED = ["nosuid", "nodev", "noexec", "noatime", "nodiratime", "relatime"];

/**
 * The system's own directories, as far as they exist, and `further` ones.
 *
 * @throws Error of the system where one of `further` is not there
 */
export async function findExposed(further: readonly string[]): Promise<Exposed[]> {
  const mounts = readMounts();
  const found: Exposed[] = [];
  for (const path of SYSTEM) {
    const info = await lstat(path).catch(() => undefined);
    if (info === undefined) continue;
    if (info.isSymbolicLink()) found.push({ kind: "link", path, target: await readlink(path) });
    else if (info.isDirectory()) found.push(bound("dir", path, path, mounts));
  }
  // The resolver's settings often are a link to a directory that is not shown.
  const resolver = await realpath("/etc/resolv.conf").catch(() => undefined);
  for (const path of [...further, ...(resolver === undefined ? [] : [resolver])]) {
    const source = await realpath(path);
    if (found.some((each) => each.kind === "dir" && isWithin(path, each.path))) continue;
    const kind = (await stat(source)).isDirectory() ? "dir" : "file";
    found.push(bound(kind, path, source, mounts));
  }
  return found;
}

/** Whether `path` is `dir` or below it. */
export function isWithin(path: string, dir: string): boolean {
  return path === dir || path.startsWith(dir === "/" ? "/" : `${dir}/`);
}

function bound(
  kind: "dir" | "file",
  path: string,
  source: string,
  mounts: readonly Mount[],
): Exposed {
  const holder = mounts.filter((mount) => isWithin(source, mount.point))
    .sort((a, b) => b.point.length - a.point.length)[0];
  const inner = mounts.filter((mount) => mount.point !== source && isWithin(mount.point, source))
    .sort((a, b) => a.point.length - b.point.length);
  return {
    kind,
    path,
    source,
    mounts: [
      { below: "", flags: holder?.flags ?? [] },
      ...inner.map(({ point, flags }) => ({ below: point.slice(source.length), flags })),
    ],
  };
}

function readMounts(): Mount[] {
  const lines = readFileSync("/proc/self/mountinfo", "utf8").split("\n");
  return lines.flatMap((line) => {
    const [, , , , point, options] = line.split(" ");
    if (point === undefined || options === undefined) return [];
    const flags = options.split(",").filter((flag) => LOCKED.includes(flag));
    return [{ point: unescape(point), flags }];
  });
}

/** The kernel writes blanks, tabs, newlines and backslashes as octal. */
function unescape(text: string): string {
  return text.replace(
    /\\([0-7]{3})/g,
    (_, octal: string) => String.fromCharCode(Number.parseInt(octal, 8)),
  );
}
