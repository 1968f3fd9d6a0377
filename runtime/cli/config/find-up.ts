import { existsSync } from "node:fs";
import { dirname, join } from "node:path";

/**
 * The nearest `name` in `folder` or above, up to the root of its git repository; without a
 * repository only in `folder` itself.
 *
 * @returns its absolute path, or `undefined`
 */
export function findUp(folder: string, name: string): string | undefined {
  return foldersUp(folder).map((at) => join(at, name)).find((path) => existsSync(path));
}

/** `folder` and those above it that {@link findUp} looks into, the nearest first. */
export function foldersUp(folder: string): string[] {
  const folders: string[] = [];
  for (let at = folder;; at = dirname(at)) {
    folders.push(at);
    if (existsSync(join(at, ".git"))) return folders;
    if (dirname(at) === at) return [folder];
  }
}
