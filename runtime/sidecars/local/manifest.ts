import { spawn } from "node:child_process";
import process from "node:process";

/** What a path held when the manifest was taken; see {@link takeManifest}. */
export interface Entry {
  /** `f`, `d`, `l`, … as find(1) names types. */
  readonly type: string;
  /** Permissions, owner and, for a link, its target. */
  readonly shape: string;
  readonly size: number;
  /** In seconds, with all digits. */
  readonly mtime: string;
  /** Changes with every write, however its traces were covered: change time and inode. */
  readonly trace: string;
}

/** Every path below a directory, as byte strings. */
export type Manifest = ReadonlyMap<string, Entry>;

/** How two manifests of a directory differ. */
export interface ManifestDiff {
  /** Paths that came. A directory's are all listed. */
  readonly added: readonly string[];
  /** Paths that went, or hold something else; of directories only mode and owner count. */
  readonly changed: readonly string[];
}

const FORMAT = "%P\\0%y %s %T@ %C@:%i %m:%U:%G:%l\\0";

/**
 * Lists everything below `dir` with GNU find: 30,000 files in about a tenth of a second, all digits
 * of the times, and any name.
 *
 * @throws Error when a directory could not be read
 */
export async function takeManifest(dir: string): Promise<Manifest> {
  const child = spawn("find", [".", "-mindepth", "1", "-printf", FORMAT], {
    cwd: dir,
    stdio: ["ignore", "pipe", "pipe"],
    env: { ...process.env, LC_ALL: "C" },
  });
  const chunks: Uint8Array[] = [];
  let stderr = "";
  child.stdout.on("data", (chunk: Uint8Array) => chunks.push(chunk));
  child.stderr.setEncoding("utf8").on("data", (text: string) => stderr += text);
  await new Promise<void>((resolve, reject) => {
    child.once("error", reject);
    child.once("close", (code) => {
      if (code === 0) resolve();
      else reject(new Error(`find ended with ${code}: ${stderr.trim()}`));
    });
  });
  return parse(Buffer.concat(chunks).toString("latin1"));
}

/**
 * What came and changed from `before` to `after`.
 *
 * @param traces whether a file with the same size and times that was written again counts as changed
 */
export function diffManifests(before: Manifest, after: Manifest, traces: boolean): ManifestDiff {
  const changed: string[] = [];
  for (const [path, entry] of before) {
    const now = after.get(path);
    if (now === undefined || !isSame(entry, now, traces)) changed.push(path);
  }
  const added = [...after.keys()].filter((path) => !before.has(path));
  return { added, changed };
}

function isSame(a: Entry, b: Entry, traces: boolean): boolean {
  if (a.type !== b.type || a.shape !== b.shape) return false;
  if (a.type === "d") return true;
  return a.size === b.size && a.mtime === b.mtime && (!traces || a.trace === b.trace);
}

function parse(output: string): Manifest {
  const manifest = new Map<string, Entry>();
  const fields = output.split("\0");
  for (let index = 0; index + 1 < fields.length; index += 2) {
    const [type = "", size = "", mtime = "", trace = "", ...shape] = (fields[index + 1] ?? "")
      .split(" ");
    manifest.set(fields[index] ?? "", {
      type,
      shape: shape.join(" "),
      size: Number(size),
      mtime,
      trace,
    });
  }
  return manifest;
}
