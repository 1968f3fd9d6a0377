import { existsSync } from "node:fs";
import { readdir, rm, stat } from "node:fs/promises";
import { join } from "node:path";
import { alternate } from "./alternate.ts";
import { git, type GitOptions } from "./git.ts";
import { writeScratchRepository } from "./scratch-repository.ts";

/** Where every tree that was packed is remembered, on the host as here. */
export const PAYLOAD_REFS = "refs/payload";

/**
 * A bare repository of ours that keeps what was sent before, so that a later tree can be sent as
 * its difference. It outlives the payloads' own repositories. All of it may be thrown away: the next
 * pack is then a full one.
 */
export interface PackStore {
  readonly gitDir: string;
  /** The trees that it holds completely. */
  readonly trees: ReadonlySet<string>;
  /** For git in this store, which sees the objects of `payloadGitDir` too where one is given. */
  options(payloadGitDir?: string): GitOptions;
}

/**
 * Opens the store in `dir`, which is made where it is missing.
 *
 * @param maxBytes a store whose packs are larger than this is emptied first
 * @throws SidecanaryError `git-failed`
 */
export async function openPackStore(
  dir: string,
  maxBytes: number,
  signal?: AbortSignal,
): Promise<PackStore> {
  const gitDir = join(dir, "sent.git");
  if (await packedBytes(gitDir) > maxBytes) await rm(gitDir, { recursive: true, force: true });
  // The last file that is written: a repository in use is left alone.
  if (!existsSync(join(gitDir, "info", "exclude"))) await writeScratchRepository(gitDir);
  const options = (payloadGitDir?: string): GitOptions => {
    const env: Record<string, string> = payloadGitDir === undefined
      ? {}
      : { GIT_ALTERNATE_OBJECT_DIRECTORIES: alternate(join(payloadGitDir, "objects")) };
    return { cwd: gitDir, gitDir, env, signal };
  };
  const refs = await git(["for-each-ref", "--format=%(refname:lstrip=2)", PAYLOAD_REFS], options());
  const trees = new Set(refs.toString("latin1").split("\n").filter((line) => line !== ""));
  return { gitDir, trees, options };
}

async function packedBytes(gitDir: string): Promise<number> {
  let bytes = 0;
  try {
    const folder = join(gitDir, "objects", "pack");
    for (const name of await readdir(folder)) bytes += (await stat(join(folder, name))).size;
  } catch (cause) {
    if ((cause as NodeJS.ErrnoException).code !== "ENOENT") throw cause;
  }
  return bytes;
}
