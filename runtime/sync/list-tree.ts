import { Buffer } from "node:buffer";
import { realpath } from "node:fs/promises";
import { posix } from "node:path";
import type { Stats } from "node:fs";
import { type BytePath, fromText, parentOf, splitNul, toText } from "./byte-path.ts";
import { alternate } from "./alternate.ts";
import { git, type GitOptions, runGit } from "./git.ts";
import { isReachable, lstatLive } from "./live-path.ts";

/** The files of a working tree that count. */
export interface TreeListing {
  /** Tracked and on disk, or untracked and not ignored; each once, in no order. */
  readonly paths: ReadonlySet<BytePath>;
  /** The folders below the root whose files were listed by rules of their own, the root as `""`. */
  readonly parts: readonly TreePart[];
  readonly warnings: readonly string[];
}

/** A repository, or a folder without one, whose ignore rules count below `prefix`. */
export interface TreePart {
  /** Ends with `/`, or `""` for the root. */
  readonly prefix: BytePath;
  readonly repository: boolean;
}

/** Where to look. */
export interface ListOptions {
  readonly root: string;
  /** Whether `root` is a repository's working tree. */
  readonly repository: boolean;
  /** Any empty repository: answers for folders without one. */
  readonly scratchGitDir: string;
  readonly signal?: AbortSignal | undefined;
}

/**
 * Lists what a payload holds. Submodules and nested repositories are listed file by file, by their
 * own ignore rules. Nothing is written: the user's index is only read.
 *
 * @throws SidecanaryError `git-failed`, `payload-failed`
 */
export async function listTree(options: ListOptions): Promise<TreeListing> {
  const paths = new Set<BytePath>();
  const parts: TreePart[] = [];
  const warnings: string[] = [];
  const folders = new Folders(options.root);
  let absent = 0;

  const visit = async (part: TreePart): Promise<void> => {
    parts.push(part);
    const asked = await partGit(options, part);
    const [others, cached] = await Promise.all([
      runGit([...asked.args, "-o", ...asked.excludes], asked.options),
      part.repository ? git([...asked.args, "-s", "-t"], asked.options) : undefined,
    ]);
    if (others.exitCode !== 0) await git([...asked.args, "-o", ...asked.excludes], asked.options);
    for (const line of others.stderr.split("\n")) if (line !== "") warnings.push(line);

    const nested = new Set<BytePath>();
    for (const name of splitNul(others.stdout)) {
      const path = part.prefix + name;
      if (path.endsWith("/")) nested.add(path);
      else paths.add(path);
    }
    for (const line of splitNul(cached ?? new Uint8Array())) {
      const { skipped, gitlink, name } = parseStage(line);
      const path = part.prefix + name;
      if (paths.has(path)) continue;
      const found = folders.lstat(path);
      if (found === "unknown") paths.add(path);
      else if (found === undefined) absent += skipped ? 1 : 0;
      else if (found.isFile() || found.isSymbolicLink()) paths.add(path);
      else if (!found.isDirectory()) warnings.push(`${toText(path)}: not a regular file, left out`);
      else if (gitlink) nested.add(`${path}/`);
    }
    for (const prefix of nested) {
      if (folders.lstat(prefix.slice(0, -1)) === "unknown") {
        warnings.push(`${toText(prefix)}: this runtime cannot enter it, left out`);
      } else {
        await visit({ prefix, repository: await isTopOfRepository(options, prefix) });
      }
    }
  };

  await visit({ prefix: "", repository: options.repository });
  if (absent > 0) {
    warnings.push(
      `sparse checkout: ${absent} tracked files are not on disk and not in the payload`,
    );
  }
  return { paths, parts, warnings };
}

/** How `git ls-files` is to be asked about one part of the tree. */
export async function partGit(
  options: ListOptions,
  part: TreePart,
): Promise<{ readonly args: string[]; readonly excludes: string[]; readonly options: GitOptions }> {
  const { root, scratchGitDir, signal } = options;
  const dir = posix.join(root, toText(part.prefix));
  // A monitor or a cache may answer for files that it has not looked at.
  const args = ["-c", "core.fsmonitor=false", "-c", "core.untrackedCache=false", "ls-files", "-z"];
  const users = { cwd: dir, config: "user", signal } as const;
  if (part.repository) {
    const objects = await git(["rev-parse", "--git-path", "objects"], users);
    // Expanding a sparse index writes trees: not into the user's objects.
    const env = {
      GIT_OBJECT_DIRECTORY: posix.join(scratchGitDir, "objects"),
      GIT_ALTERNATE_OBJECT_DIRECTORIES: alternate(posix.resolve(dir, firstLine(objects))),
    };
    return { args, excludes: ["--exclude-standard"], options: { ...users, env } };
  }
  return {
    args,
    excludes: ["--exclude-standard", "--exclude=node_modules/"],
    options: {
      ...users,
      gitDir: scratchGitDir,
      workTree: dir,
      indexFile: posix.join(scratchGitDir, "no-index"),
    },
  };
}

function firstLine(output: Uint8Array): string {
  return Buffer.from(output).toString("utf8").replace(/\n$/, "");
}

/** A line of `ls-files -s -t`: `H 100644 <oid> <stage>\t<path>`. */
function parseStage(line: string): { skipped: boolean; gitlink: boolean; name: BytePath } {
  return {
    skipped: line.startsWith("S"),
    gitlink: line.startsWith("160000", 2),
    name: line.slice(line.indexOf("\t") + 1),
  };
}

/** A submodule may be an empty folder, or one whose repository is elsewhere or gone. */
async function isTopOfRepository(options: ListOptions, prefix: BytePath): Promise<boolean> {
  if (lstatLive(options.root, `${prefix}.git`) === undefined) return false;
  const dir = posix.join(options.root, toText(prefix));
  const asked = { cwd: dir, config: "user", signal: options.signal } as const;
  const top = await runGit(["rev-parse", "--show-toplevel"], asked);
  if (top.exitCode !== 0) return false;
  return await realpath(firstLine(top.stdout)) === await realpath(dir);
}

/** Looks at files without following a symbolic link anywhere below the root. */
class Folders {
  readonly #root: string;
  readonly #real = new Map<BytePath, boolean>([["", true]]);

  constructor(root: string) {
    this.#root = root;
  }

  /** `undefined` where there is nothing, `"unknown"` where this runtime cannot look. */
  lstat(path: BytePath): Stats | undefined | "unknown" {
    if (!isReachable(path)) return "unknown";
    return this.#isReal(parentOf(path)) ? lstatLive(this.#root, path) : undefined;
  }

  #isReal(dir: BytePath): boolean {
    const known = this.#real.get(dir);
    if (known !== undefined) return known;
    const real = this.#isReal(parentOf(dir)) &&
      lstatLive(this.#root, dir)?.isDirectory() === true;
    this.#real.set(dir, real);
    return real;
  }
}

/** The path of `dir` relative to `root`, with a final `/`, where it is below it. */
export function below(root: string, dir: string): BytePath | null {
  return dir.startsWith(`${root}/`) ? fromText(`${dir.slice(root.length + 1)}/`) : null;
}
