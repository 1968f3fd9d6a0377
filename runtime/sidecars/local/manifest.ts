import { spawn } from "node:child_process";
import process from "node:process";

/** What a path held when the manifest was taken. */
export interface Entry {
  /** `f`, `d`, `l`, … as find(1) names types. */
  readonly type: string;
  /** Permission bits. */
  readonly mode: number;
  readonly owner: string;
  /** In bytes; of a directory nothing that counts. */
  readonly size: number;
  /** In seconds, with all digits. */
  readonly mtime: string;
  /** Change time and inode: they tell of every write, however its traces were covered. */
  readonly trace: string;
  /** Where a link leads to, as a byte string. */
  readonly target: string;
}

/** Every path below a directory, as byte strings, with what {@link parseEntry} reads. */
export type Manifest = ReadonlyMap<string, string>;

/** How two manifests of a directory differ. */
export interface ManifestDiff {
  /** Paths that came. A directory's are all listed. */
  readonly added: readonly string[];
  /** Paths that went, or hold something else; of directories only mode and owner count. */
  readonly changed: readonly string[];
}

// A directory's times and size change with every file that comes and goes: they are left out.
const DIRECTORY = "%p\\0%y %m %U:%G\\0";
const OTHER = "%p\\0%y %m %U:%G %s %T@ %C@:%i %l\\0";
const PRINT = ["(", "-type", "d", "-printf", DIRECTORY, ")", "-o", "-printf", OTHER];

/**
 * Lists everything below `dir` with GNU find: 30,000 files in about a tenth of a second, all digits
 * of the times, and any name.
 *
 * @throws Error when a directory could not be read
 */
export async function takeManifest(dir: string): Promise<Manifest> {
  return parse(await find(["find", ".", "-mindepth", "1", ...PRINT], dir));
}

/**
 * Lists only `paths` below `dir`.
 *
 * @throws Error when one is not there
 */
export async function takePartialManifest(
  dir: string,
  paths: readonly string[],
): Promise<Manifest> {
  if (paths.length === 0) return new Map();
  const print = PRINT.map((word) => `'${word}'`).join(" ");
  const input = Buffer.from(paths.map((path) => `./${path}\0`).join(""), "latin1");
  const argv = ["xargs", "-0", "sh", "-c", `exec find "$@" -maxdepth 0 ${print}`, "sh"];
  return parse(await find(argv, dir, input));
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
    if (now !== entry && (now === undefined || traces || !isAlike(entry, now))) changed.push(path);
  }
  const added: string[] = [];
  for (const path of after.keys()) if (!before.has(path)) added.push(path);
  return { added, changed };
}

/** Reads what a {@link Manifest} holds of a path. */
export function parseEntry(text: string): Entry {
  const [type = "", mode = "", owner = "", size = "0", mtime = "0", trace = "", ...target] = text
    .split(" ");
  return {
    type,
    mode: Number.parseInt(mode, 8),
    owner,
    size: Number(size),
    mtime,
    trace,
    target: target.join(" "),
  };
}

function isAlike(a: string, b: string): boolean {
  return JSON.stringify({ ...parseEntry(a), trace: "" }) ===
    JSON.stringify({ ...parseEntry(b), trace: "" });
}

function parse(output: string): Manifest {
  const manifest = new Map<string, string>();
  const fields = output.split("\0");
  for (let index = 0; index + 1 < fields.length; index += 2) {
    manifest.set((fields[index] ?? "").slice(2), fields[index + 1] ?? "");
  }
  return manifest;
}

async function find(argv: readonly string[], cwd: string, input?: Uint8Array): Promise<string> {
  const [file = "", ...args] = argv;
  const env = { ...process.env, LC_ALL: "C" };
  const child = spawn(file, args, { cwd, stdio: ["pipe", "pipe", "pipe"], env });
  const chunks: Uint8Array[] = [];
  let stderr = "";
  child.stdout.on("data", (chunk: Uint8Array) => chunks.push(chunk));
  child.stderr.setEncoding("utf8").on("data", (text: string) => {
    stderr = (stderr + text).slice(-4_096);
  });
  child.stdin.on("error", () => {});
  child.stdin.end(input ?? "");
  await new Promise<void>((resolve, reject) => {
    child.once("error", reject);
    child.once("close", (code) => {
      if (code === 0) resolve();
      else reject(new Error(`find ended with ${code}: ${stderr.trim()}`));
    });
  });
  return Buffer.concat(chunks).toString("latin1");
}
