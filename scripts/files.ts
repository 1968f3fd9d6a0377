import { readdir } from "node:fs/promises";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";

/** The absolute path of the repository. */
export const ROOT = dirname(dirname(fileURLToPath(import.meta.url)));

/** Paths of all files below `root/dir`, relative to the root, sorted. A missing `dir` has none. */
export async function walk(root: string, dir: string): Promise<string[]> {
  const entries = await readdir(join(root, dir), { withFileTypes: true }).catch((error) => {
    if (error.code === "ENOENT") return [];
    throw error;
  });
  const found: string[] = [];
  for (const entry of entries) {
    const path = `${dir}/${entry.name}`;
    if (entry.name === "node_modules") continue;
    if (entry.isDirectory()) found.push(...await walk(root, path));
    else if (entry.isFile()) found.push(path);
  }
  return found.sort();
}

/** Paths of all spec files below the root. */
export async function specFiles(root: string): Promise<string[]> {
  return (await walk(root, "spec")).filter((path) => path.endsWith(".spec.ts"));
}
