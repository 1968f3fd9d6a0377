import type { Buffer } from "node:buffer";
import { createHash } from "node:crypto";
import { lstat, readFile, readlink } from "node:fs/promises";
import type { BytePath } from "./byte-path.ts";
import { assertReachable, livePath } from "./live-path.ts";
import type { Payload } from "./payload.ts";
import { readBlobs } from "./read-blobs.ts";
import type { ChangedFile } from "./tree-hash.ts";

/** A changed file with all it takes to write it without git. */
export interface ChangedBlob {
  readonly path: BytePath;
  readonly mode: number;
  /** The new content; null when the file is deleted. Of a symbolic link, its target. */
  readonly bytes: Buffer | null;
  /** Where a symbolic link points to, byte by byte; absent for other files. */
  readonly linkTarget?: BytePath;
}

const SYMLINK = 0o120000;

/**
 * Reads what a variant changed. Write it in this order: a deleted file may make room for a folder.
 *
 * @throws SidecanaryError `git-failed`
 */
export async function readChanged(
  payload: Pick<Payload, "gitDir">,
  planned: { readonly changed: readonly ChangedFile[] },
  options: { readonly signal?: AbortSignal | undefined } = {},
): Promise<ChangedBlob[]> {
  const oids = planned.changed.flatMap(({ oid }) => oid ?? []);
  const blobs = await readBlobs(payload, oids, options);
  const deletedFirst = [...planned.changed].sort((a, b) => {
    return Number(a.oid !== null) - Number(b.oid !== null);
  });
  return deletedFirst.map(({ path, mode, oid }) => {
    const bytes = oid === null ? null : blobs.get(oid) ?? null;
    return {
      path,
      mode,
      bytes,
      ...(mode === SYMLINK && bytes !== null ? { linkTarget: bytes.toString("latin1") } : {}),
    };
  });
}

/** A file that is not what it should be. */
export interface TreeDifference {
  readonly path: BytePath;
  readonly found: "missing" | "present" | "content" | "mode" | "kind";
}

/**
 * Compares files below `dir` with what they should be: a variant's `changed` after it was applied.
 * Answers the differences.
 *
 * @throws SidecanaryError `payload-failed` on Deno, for a name that is not UTF-8
 */
export async function verifyTree(
  dir: string,
  expected: readonly ChangedFile[],
): Promise<TreeDifference[]> {
  const differences: TreeDifference[] = [];
  for (const file of expected) {
    const found = await compare(dir, file);
    if (found !== null) differences.push({ path: file.path, found });
  }
  return differences;
}

async function compare(dir: string, file: ChangedFile): Promise<TreeDifference["found"] | null> {
  assertReachable(file.path);
  const path = livePath(dir, file.path);
  let stats;
  try {
    stats = await lstat(path);
  } catch (cause) {
    if (!["ENOENT", "ENOTDIR"].includes((cause as NodeJS.ErrnoException).code ?? "")) throw cause;
    return file.oid === null ? null : "missing";
  }
  // A folder may stand where a file was deleted.
  if (file.oid === null) return stats.isDirectory() ? null : "present";
  if (file.mode === SYMLINK ? !stats.isSymbolicLink() : !stats.isFile()) return "kind";
  if (file.mode !== SYMLINK && ((stats.mode & 0o100) !== 0) !== ((file.mode & 0o100) !== 0)) {
    return "mode";
  }
  const content = file.mode === SYMLINK ? await readlink(path, "buffer") : await readFile(path);
  return blobId(content) === file.oid ? null : "content";
}

/** The name that git gives to a file's content. */
export function blobId(content: Uint8Array): string {
  return createHash("sha1").update(`blob ${content.length}\0`).update(content).digest("hex");
}
