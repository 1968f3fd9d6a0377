import { type BytePath, splitNul } from "./byte-path.ts";
import { git } from "./git.ts";
import { listTree, partGit } from "./list-tree.ts";
import type { Payload } from "./payload.ts";

/** Something of the live tree that is not in the payload. */
export interface IgnoredPath {
  /** Relative to the payload's root, without a final `/`. */
  readonly path: BytePath;
  /** Whether it is a folder that is ignored with all that is in it. */
  readonly folder: boolean;
}

/**
 * The paths that git ignores, folders that are ignored as a whole as one path: `node_modules`,
 * `dist`, `.env`. `.git` is not among them.
 *
 * @throws SidecanaryError `git-failed`
 */
export async function listIgnored(
  payload: Payload,
  options: { readonly signal?: AbortSignal | undefined } = {},
): Promise<IgnoredPath[]> {
  const listOptions = { ...payload, scratchGitDir: payload.gitDir, signal: options.signal };
  const { parts } = await listTree(listOptions);
  const nested = new Set(parts.map((part) => part.prefix));
  const ignored: IgnoredPath[] = [];
  for (const part of parts) {
    const asked = await partGit(listOptions, part);
    const args = [...asked.args, "-o", "-i", "--directory", ...asked.excludes];
    for (const name of splitNul(await git(args, asked.options))) {
      const path = part.prefix + name;
      if (nested.has(path)) continue;
      const folder = path.endsWith("/");
      ignored.push({ path: folder ? path.slice(0, -1) : path, folder });
    }
  }
  return ignored.sort((a, b) => (a.path < b.path ? -1 : 1));
}
