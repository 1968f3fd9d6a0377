import { createHash } from "node:crypto";
import {
  lstatSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  readlinkSync,
  writeFileSync,
} from "node:fs";
import { join } from "node:path";
import { tempDir } from "./temp-dir.ts";

/** A user's tree and a checkout of its payload, side by side. */
export interface LiveTree {
  /** A directory of its own around both. */
  readonly base: string;
  readonly root: string;
  readonly checkout: string;
  /** An empty directory for scratch files. */
  readonly scratch: string;
}

/**
 * Makes a tree with a few files of the payload, which the tree itself has in a later version, and
 * ignored ones in node_modules.
 *
 * @param name the last part of the root's path
 */
export async function liveTree(name = "root"): Promise<LiveTree> {
  const base = await tempDir();
  const tree = {
    base,
    root: join(base, name),
    checkout: join(base, "checkout"),
    scratch: join(base, "scratch"),
  };
  mkdirSync(tree.scratch);
  writeFiles(tree.root, {
    "src/a.txt": "live a\n",
    "src/b.txt": "payload b\n",
    "run.sh": "echo live\n",
    "node_modules/dep/index.txt": "dep\n",
  });
  writeFiles(tree.checkout, {
    "src/a.txt": "payload a\n",
    "src/b.txt": "payload b\n",
    "src/deep/c.txt": "payload c\n",
    "run.sh": "echo payload\n",
  });
  return tree;
}

/** Writes files below `dir`, by path. */
export function writeFiles(dir: string, files: Readonly<Record<string, string>>): void {
  for (const [path, text] of Object.entries(files)) {
    mkdirSync(join(dir, path, ".."), { recursive: true });
    writeFileSync(join(dir, path), text);
  }
}

/** A hash of every name, mode, time and content below `dir`. */
export function hashTree(dir: string): string {
  const hash = createHash("sha256");
  const visit = (path: string) => {
    const stat = lstatSync(path);
    hash.update(`${path}\0${stat.mode}\0${stat.mtimeMs}\0`);
    if (stat.isSymbolicLink()) hash.update(readlinkSync(path));
    else if (stat.isFile()) hash.update(readFileSync(path));
    else if (stat.isDirectory()) {
      for (const name of readdirSync(path).sort()) visit(join(path, name));
    }
  };
  visit(dir);
  return hash.digest("hex");
}
