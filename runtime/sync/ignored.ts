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
  const { parts, paths } = await listTree(listOptions);
  const taken = new Set(parts.map((part) => part.prefix));
  for (const path of paths) {
    for (let at = path.lastIndexOf("/"); at > 0; at = path.lastIndexOf("/", at - 1)) {
      taken.add(path.slice(0, at + 1));
    }
  }
  const found: BytePath[] = [];
  for (const part of parts) {
    const asked = await partGit(listOptions, part);
    const args = [...asked.args, "-o", "-i", "--directory", ...asked.excludes];
    const output = await git(args, asked.options);
    for (const name of splitNul(output)) found.push(part.prefix + name);
  }
  const ignored: IgnoredPath[] = [];
  let last = "/";
  for (const path of found.sort()) {
    // git names a folder of ignored folders, and these as well.
    if (taken.has(path) || path.startsWith(last)) continue;
    const folder = path.endsWith("/");
    if (folder) last = path;
    ignored.push({ path: folder ? path.slice(0, -1) : path, folder });
  }
  return ignored;
}
