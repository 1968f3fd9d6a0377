import { mkdir, rm, rmdir, symlink, writeFile } from "node:fs/promises";
import { type BytePath, parentOf, toBytes } from "./byte-path.ts";
import type { ChangedBlob } from "./changed-blobs.ts";
import { assertReachable, livePath } from "./live-path.ts";

/**
 * Writes a variant's changes over a checkout of its payload. Files are replaced, never written in
 * place: what shares their bytes (a hard link, a lower layer) keeps its own. Folders that lose their
 * last file go, as git would have it.
 *
 * @param dir the checkout's root; no symbolic link inside of it is followed, since no path of a
 * payload leads through one
 * @param blobs in the order of `readChanged`
 * @throws SidecanaryError `payload-failed` on Deno, for a name that is not UTF-8
 */
export async function writeChanged(dir: string, blobs: readonly ChangedBlob[]): Promise<void> {
  for (const { path } of blobs) assertReachable(path);
  for (const { path, mode, bytes, linkTarget } of blobs) {
    const file = livePath(dir, path);
    await rm(file, { force: true });
    if (bytes === null) {
      await removeEmptied(dir, parentOf(path));
      continue;
    }
    await mkdir(livePath(dir, parentOf(path)), { recursive: true });
    if (linkTarget !== undefined) await symlink(toBytes(linkTarget), file);
    else await writeFile(file, bytes, { mode: mode & 0o777, flag: "wx" });
  }
}

async function removeEmptied(dir: string, folder: BytePath): Promise<void> {
  for (let at = folder; at !== ""; at = parentOf(at)) {
    try {
      await rmdir(livePath(dir, at));
    } catch (cause) {
      const code = (cause as NodeJS.ErrnoException).code;
      // Something ignored is left in it, or an earlier deletion took it away.
      if (code === "ENOTEMPTY" || code === "EEXIST") return;
      if (code !== "ENOENT") throw cause;
    }
  }
}
