import { chmod, lstat, readdir, rm, rmdir, unlink } from "node:fs/promises";
import { join } from "node:path";

const ATTEMPTS = 5;

/**
 * Removes `dir` and everything in it, also directories whose mode keeps their owner out, as an
 * overlay's work directory and many a command leave them. Nothing at `dir` is fine. What cannot be
 * removed does not keep the rest.
 *
 * @throws Error of the system that names the path that stays, where one does
 */
export async function removeTree(dir: string): Promise<void> {
  for (let attempt = 1; attempt < ATTEMPTS; attempt++) {
    // Its error may name a consequence, or no path at all: the last attempt tells the reason.
    if (await rm(dir, { recursive: true, force: true }).then(() => true, () => false)) return;
    await unlock(dir).catch(() => {});
  }
  await removeOneByOne(dir);
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

async function removeOneByOne(path: string): Promise<void> {
  const failures: unknown[] = [];
  try {
    if ((await lstat(path)).isDirectory()) {
      for (const name of await readdir(path)) {
        await removeOneByOne(join(path, name)).catch((error) => failures.push(error));
      }
      if (failures.length === 0) await rmdir(path);
    } else await unlink(path);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== "ENOENT") failures.push(error);
  }
  if (failures.length > 0) throw failures[0];
}
