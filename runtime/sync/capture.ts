import { closeSync, constants, openSync } from "node:fs";
import { readFile, realpath, rm, utimes, writeFile } from "node:fs/promises";
import { availableParallelism } from "node:os";
import { join } from "node:path";
import { SidecanaryError } from "../errors.ts";
import { type BytePath, joinNul, splitNul, toText } from "./byte-path.ts";
import { checkGit, git, gitFailed, type GitOptions, runGit } from "./git.ts";
import { formatIndex, type IndexEntry, parseIndex } from "./index-file.ts";
import { below, type ListOptions, listTree, type TreeListing } from "./list-tree.ts";
import { isReachable, livePath, unreadable } from "./live-path.ts";
import { locate } from "./locate.ts";
import type { Payload } from "./payload.ts";
import { createScratchRepository } from "./scratch-repository.ts";
import { TreeHash } from "./tree-hash.ts";
import { writeTrees } from "./write-trees.ts";

/** What to capture, and where its bytes go. */
export interface CaptureOptions {
  /** Any folder of the working tree. */
  readonly cwd: string;
  /** A folder of our own; `payload.git` is made in it. */
  readonly scratch: string;
  /** @default undefined */
  readonly signal?: AbortSignal | undefined;
}

/** How often files that change under our hands are read again. */
const ATTEMPTS = 5;

/**
 * Captures what is on disk now: HEAD, staged, unstaged, and untracked but not ignored, byte for
 * byte, without any conversion that git would do. The user's repository is only read.
 *
 * @throws SidecanaryError `payload-failed` where there is no working tree, a file cannot be read, or
 * files do not stop changing; `git-failed`
 */
export async function capturePayload(options: CaptureOptions): Promise<Payload> {
  const { cwd, signal } = options;
  await checkGit(signal);
  const place = await locate(cwd, signal);
  const scratch = await realpath(options.scratch);
  const gitDir = await createScratchRepository(scratch);
  const indexFile = join(gitDir, "index");
  const own = below(place.root, scratch);
  const listOptions = { ...place, scratchGitDir: gitDir, signal };
  const shared = { cwd: place.root, gitDir, workTree: place.root, signal };

  let listing = await listWithout(own, listOptions);
  let pending: Iterable<BytePath> = listing.paths;
  let entries = new Map<BytePath, IndexEntry>();
  for (let attempt = 1;; attempt++) {
    const began = Math.floor(Date.now() / 1000) - 1;
    const added = await addFiles([...pending], shared);
    for (const entry of added) entries.set(entry.path, entry);
    await writeFile(indexFile, formatIndex(entries.values()));
    // git compares the content of entries that are not older than their index.
    await utimes(indexFile, began, began);

    const [changed, now] = await Promise.all([
      git(["diff-files", "--name-only", "-z"], { ...shared, indexFile }),
      listWithout(own, listOptions),
    ]);
    listing = now;
    const again = new Set(splitNul(changed));
    for (const path of await changedUnseen(added, began, shared)) again.add(path);
    for (const path of now.paths) if (!entries.has(path) && isReachable(path)) again.add(path);
    const before = entries.size;
    entries = new Map([...entries].filter(([path]) => now.paths.has(path) && !again.has(path)));
    if (again.size === 0 && entries.size === before) break;
    if (attempt === ATTEMPTS) throw restless([...again][0] ?? "");
    pending = [...again].filter((path) => now.paths.has(path));
  }

  const hash = new TreeHash(entries.values());
  await writeTrees(hash.bodies(), shared);
  return {
    root: place.root,
    cwd: place.cwd,
    tree: hash.tree,
    gitDir,
    indexFile,
    files: entries.size,
    head: place.head,
    repository: place.repository,
    warnings: listing.warnings,
  };
}

/**
 * Files that kept their size and time of modification while their content changed: git compares
 * the time of the last status change by the second, so those of this second are read twice.
 */
async function changedUnseen(
  added: readonly IndexEntry[],
  began: number,
  shared: GitOptions,
): Promise<BytePath[]> {
  const suspects = added.filter(({ ctimeSeconds, mtime }) => {
    return ctimeSeconds >= began && mtime.seconds < began;
  });
  const again = await addFiles(suspects.map((entry) => entry.path), shared);
  const second = new Map(again.map((entry) => [entry.path, entry.oid]));
  return suspects.filter(({ path, oid }) => second.get(path) !== oid).map(({ path }) => path);
}

/** The listing without our own scratch folder, should it stand in the tree. */
async function listWithout(own: BytePath | null, options: ListOptions): Promise<TreeListing> {
  const listing = await listTree(options);
  if (own === null) return listing;
  const paths = new Set([...listing.paths].filter((path) => !path.startsWith(own)));
  return { ...listing, paths };
}

/** Stores files as they are and answers their entries; files that are gone meanwhile are left out. */
async function addFiles(paths: BytePath[], shared: GitOptions): Promise<IndexEntry[]> {
  const shards = paths.length < 1000 ? 1 : Math.min(availableParallelism(), 4);
  const parts = Array.from({ length: shards }, (_, shard) => {
    return addShard(paths.filter((_, at) => at % shards === shard), shared, shard);
  });
  return (await Promise.all(parts)).flat();
}

async function addShard(
  paths: BytePath[],
  shared: GitOptions,
  shard: number,
): Promise<IndexEntry[]> {
  if (paths.length === 0) return [];
  const indexFile = join(shared.gitDir ?? "", `index.${shard}`);
  // What git takes for a big file it appends to a pack: one file in place of thousands.
  const args = ["-c", "core.bigFileThreshold=1", "update-index", "--add", "--remove"];
  args.push("-z", "--stdin");
  for (let attempt = 1;; attempt++) {
    const result = await runGit(args, { ...shared, indexFile, input: joinNul(paths) });
    if (result.exitCode === 0) break;
    for (const path of paths) assertReadable(shared.cwd, path);
    if (attempt === ATTEMPTS) throw gitFailed(args, result);
  }
  const entries = parseIndex(await readFile(indexFile));
  await rm(indexFile);
  return entries;
}

/** @throws SidecanaryError `payload-failed` when the file is there and cannot be opened */
function assertReadable(root: string, path: BytePath): void {
  try {
    const flags = constants.O_RDONLY | constants.O_NOFOLLOW | constants.O_NONBLOCK;
    closeSync(openSync(livePath(root, path), flags));
  } catch (cause) {
    const code = (cause as NodeJS.ErrnoException).code ?? "";
    // A symbolic link, or a file that has gone: both are fine.
    if (!["ELOOP", "EMLINK", "ENOENT", "ENOTDIR"].includes(code)) throw unreadable(path, cause);
  }
}

function restless(path: BytePath): SidecanaryError {
  return new SidecanaryError(
    "payload-failed",
    `Cannot capture "${toText(path)}": it changed while it was read, ${ATTEMPTS} times. ` +
      "Stop what writes it, or have git ignore it",
    { path: toText(path) },
  );
}
