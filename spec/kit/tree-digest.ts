import { execFile } from "node:child_process";
import { promisify } from "node:util";

/** What counts as a difference between two trees. */
export interface DigestOptions {
  /**
   * How exactly times of modification are told, or not at all. Folders' are told with `exact` only.
   * @default "none"
   */
  readonly mtimes?: "none" | "ms" | "exact";
  /**
   * Whether folders count, empty ones above all.
   * @default false
   */
  readonly folders?: boolean;
  /**
   * Paths whose own lines and whose content are left out.
   * @default []
   */
  readonly without?: readonly string[];
}

/**
 * Every path below `dir` with kind, mode and content, one line each, sorted: equal lines are equal
 * trees. Names are bytes (one character each), on runtimes too whose own paths are not.
 */
export async function treeDigest(dir: string, options: DigestOptions = {}): Promise<string[]> {
  const { mtimes = "none", folders = false, without = [] } = options;
  const script = String.raw`find . -mindepth 1 -printf '%y %m %T@ %l\0%P\0' && printf '\0' &&
    find . -type f -print0 | xargs -0r sha1sum -z --`;
  const { stdout } = await promisify(execFile)("sh", ["-c", script], {
    cwd: dir,
    encoding: "buffer",
    maxBuffer: 1 << 28,
  });
  const parts = stdout.toString("latin1").split("\0");
  const middle = parts.findIndex((part, at) => part === "" && at % 2 === 0);
  const hashes = new Map(
    parts.slice(middle + 1).map((line) => [line.slice(44), line.slice(0, 40)]),
  );
  const lines: string[] = [];
  for (let at = 0; at < middle; at += 2) {
    const [kind = "", mode = "", mtime = "", ...link] = (parts[at] ?? "").split(" ");
    const path = parts[at + 1] ?? "";
    if (without.some((each) => path === each || path.startsWith(`${each}/`))) continue;
    if (kind === "d" && !folders) continue;
    const time = mtimes === "none" || (kind === "d" && mtimes === "ms")
      ? ""
      : mtimes === "exact"
      ? ` ${mtime}`
      : ` ${mtime.slice(0, mtime.indexOf(".") + 4)}`;
    const content = kind === "f" ? hashes.get(path) : link.join(" ");
    lines.push(`${path} ${kind}${kind === "l" ? "" : mode}${time} ${content}`);
  }
  return lines.sort();
}
