import { existsSync, statSync } from "node:fs";
import { realpath } from "node:fs/promises";
import { dirname, join, relative } from "node:path";
import { SidecanaryError } from "../errors.ts";
import { git, runGit } from "./git.ts";

/** Where a working tree is. */
export interface Location {
  /** The real path of git's toplevel, or of `cwd` where there is no repository. */
  readonly root: string;
  /** `cwd` relative to `root`. */
  readonly cwd: string;
  readonly repository: boolean;
  readonly head: string | null;
}

/**
 * Finds the working tree that `cwd` belongs to.
 *
 * @throws SidecanaryError `payload-failed` when there is none: a bare repository, the inside of
 * `.git`, a folder that is gone, a repository that git does not accept
 */
export async function locate(cwd: string, signal?: AbortSignal): Promise<Location> {
  const here = await realpath(cwd).catch((cause: NodeJS.ErrnoException) => {
    if (cwd.includes(UNREADABLE)) throw failed(cwd, NOT_UTF8, cause);
    if (cause.code !== "ENOENT") throw failed(cwd, cause.message, cause);
    throw failed(cwd, "it does not exist. Change to a folder that does", cause);
  });
  const found = statSync(here, { throwIfNoEntry: false });
  if (found === undefined) throw failed(cwd, NOT_UTF8);
  if (!found.isDirectory()) throw failed(cwd, "it is not a folder");
  const asked = { cwd: here, config: "user", signal } as const;
  const kind = await runGit(["rev-parse", "--is-bare-repository", "--is-inside-git-dir"], asked);
  if (kind.exitCode !== 0) {
    const dotGit = findDotGit(here);
    if (dotGit === null) return { root: here, cwd: "", repository: false, head: null };
    throw failed(cwd, `git does not accept the repository of ${dotGit}: ${kind.stderr}`);
  }
  const [bare, inside] = kind.stdout.toString("latin1").split("\n");
  if (bare === "true") throw failed(cwd, "it is a bare repository. Run in a working tree of it");
  if (inside === "true") throw failed(cwd, "it is inside of .git. Run in the working tree");
  const top = await git(["rev-parse", "--show-toplevel"], asked);
  const root = await realpath(top.toString("utf8").replace(/\n$/, ""));
  const head = await runGit(["rev-parse", "--verify", "--quiet", "HEAD^{commit}"], asked);
  return {
    root,
    cwd: relative(root, here),
    repository: true,
    head: head.exitCode === 0 ? head.stdout.toString("latin1").trim() : null,
  };
}

/** What the runtime puts where a path's bytes are no UTF-8. */
const UNREADABLE = "\ufffd";

const NOT_UTF8 = "its path is not UTF-8, which is not supported. Rename the folder, or move it";

/** What git would have found: it does not look beyond the file system that it starts in. */
function findDotGit(start: string): string | null {
  const device = statSync(start).dev;
  for (let dir = start;; dir = dirname(dir)) {
    if (statSync(dir).dev !== device) return null;
    if (existsSync(join(dir, ".git"))) return join(dir, ".git");
    if (dir === dirname(dir)) return null;
  }
}

function failed(path: string, why: string, cause?: unknown): SidecanaryError {
  return new SidecanaryError(
    "payload-failed",
    `Cannot capture "${path}": ${why}`,
    { path },
    cause,
  );
}
