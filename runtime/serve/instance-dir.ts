import { execFile } from "node:child_process";
import { chmod, chown, mkdir } from "node:fs/promises";
import { join } from "node:path";
import { promisify } from "node:util";
import { mountsBelow } from "../sidecars/local/mounts.ts";
import { removeTree } from "../sidecars/local/remove-tree.ts";

/** Where an instance's files are. */
export function instanceDir(stateDir: string, id: string): string {
  return join(stateDir, "instances", id);
}

/** Makes the directories of an instance; those that it writes to belong to `uid`. */
export async function makeInstanceDir(dir: string, uid: number | undefined): Promise<void> {
  await mkdir(dir, { mode: 0o700, recursive: true });
  for (const [name, mode] of [["root", 0o700], ["home", 0o700], ["tmp", 0o1777]] as const) {
    await mkdir(join(dir, name));
    await chmod(join(dir, name), mode);
    if (name !== "root" && uid !== undefined) await chown(join(dir, name), uid, uid);
  }
}

/**
 * Removes an instance's files. What is mounted below is unmounted first: it is something else's.
 *
 * @throws Error where something is mounted still, or a file stays
 */
export async function removeInstanceDir(dir: string): Promise<void> {
  for (const point of mountsBelow(dir).reverse()) {
    await promisify(execFile)("umount", ["--lazy", "--", point]);
  }
  await removeTree(dir);
}
