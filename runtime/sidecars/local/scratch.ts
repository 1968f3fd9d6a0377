import { lstat, mkdir, readdir } from "node:fs/promises";
import { join } from "node:path";
import process from "node:process";
import type { SweepReport } from "../provider.ts";
import { ownerOf, ownerState, scratchName } from "./owner.ts";
import { removeTree } from "./remove-tree.ts";

const FOREIGN_MS = 7 * 24 * 60 * 60 * 1000;

/** Makes a directory of this process below `base`, for nobody else to read. */
export async function makeScratch(base: string): Promise<string> {
  const dir = join(base, scratchName());
  await mkdir(base, { recursive: true });
  await mkdir(dir, { mode: 0o700 });
  return dir;
}

/**
 * Removes the scratch directories below `bases` whose owner is dead. One from another boot, machine
 * or process namespace counts as dead after a week without a change.
 */
export async function sweepScratch(bases: readonly string[]): Promise<SweepReport> {
  const removed: string[] = [];
  const failed: { name: string; reason: string }[] = [];
  for (const base of new Set(bases)) {
    for (const name of await namesIn(base)) {
      const dir = join(base, name);
      try {
        if (!(await isAbandoned(dir, name))) continue;
        await removeTree(dir);
        removed.push(dir);
      } catch (error) {
        failed.push({ name: dir, reason: error instanceof Error ? error.message : String(error) });
      }
    }
  }
  return { removed, failed };
}

async function isAbandoned(dir: string, name: string): Promise<boolean> {
  const owner = ownerOf(name);
  if (owner === undefined) return false;
  const found = await lstat(dir);
  if (process.getuid !== undefined && process.getuid() !== 0 && found.uid !== process.getuid()) {
    return false;
  }
  const state = ownerState(owner);
  return state === "dead" || (state === "unknown" && Date.now() - found.mtimeMs > FOREIGN_MS);
}

async function namesIn(base: string): Promise<string[]> {
  try {
    return await readdir(base);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === "ENOENT") return [];
    throw error;
  }
}
