import { chmod, lstat, readdir, rm } from "node:fs/promises";
import { join } from "node:path";

const ATTEMPTS = 5;

/**
 * Removes `dir` and everything in it, also directories whose mode keeps their owner out, as an
 * overlay's work directory and many a command leave them. Nothing at `dir` is fine.
 *
 * @throws Error of the last attempt
 */
export async function removeTree(dir: string): Promise<void> {
  for (let attempt = 1;; attempt++) {
    try {
      await rm(dir, { recursive: true, force: true });
      return;
    } catch (error) {
      if (attempt === ATTEMPTS) throw error;
      await unlock(dir);
    }
  }
}

/** Node's rm() rejects while it still removes elsewhere in the tree: anything may vanish meanwhile. */
async function unlock(dir: string): Promise<void> {
  try {
    if (!(await lstat(dir)).isDirectory()) return;
    await chmod(dir, 0o700);
    for (const entry of await readdir(dir, { withFileTypes: true })) {
      if (entry.isDirectory()) await unlock(join(dir, entry.name));
    }
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== "ENOENT") throw error;
  }
}
