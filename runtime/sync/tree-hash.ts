import { Buffer } from "node:buffer";
import { createHash } from "node:crypto";
import { type BytePath, toBytes } from "./byte-path.ts";

/** A file of a tree. */
export interface TreeFile {
  readonly path: BytePath;
  readonly mode: number;
  readonly oid: string;
}

/** A file that a variant changed. */
export interface ChangedFile {
  readonly path: BytePath;
  /** The new blob; null when the file is deleted. */
  readonly oid: string | null;
  /** `0o100644`, `0o100755` or `0o120000`; of a deleted file, what it was. */
  readonly mode: number;
}

type Folder = ReadonlyMap<string, { readonly mode: number; readonly oid: string }>;

const FOLDER = 0o040000;

/** Computes the hash of a tree, and of trees that differ from it in a few files, without git. */
export class TreeHash {
  readonly #folders = new Map<BytePath, Folder>();
  /** As `git write-tree` answers it. */
  readonly tree: string;

  constructor(files: Iterable<TreeFile>) {
    const folders = new Map<BytePath, Map<string, { mode: number; oid: string }>>([
      ["", new Map()],
    ]);
    for (const { path, mode, oid } of files) {
      const [dir, name] = split(path);
      let folder = folders.get(dir);
      if (folder === undefined) folders.set(dir, folder = new Map());
      folder.set(name, { mode, oid });
      for (let at = dir; at !== "" && !folders.has(split(at)[0]); at = split(at)[0]) {
        folders.set(split(at)[0], new Map());
      }
    }
    for (const dir of deepestFirst(folders.keys())) {
      const [above, name] = split(dir);
      if (dir === "") continue;
      folders.get(above)?.set(name, { mode: FOLDER, oid: hashFolder(folders.get(dir)!) });
    }
    for (const [dir, folder] of folders) this.#folders.set(dir, folder);
    this.tree = hashFolder(folders.get("")!);
  }

  /** The content of every tree object that this tree is made of, each once. */
  bodies(): Buffer[] {
    const bodies = new Map<string, Buffer>();
    for (const folder of this.#folders.values()) {
      const body = formatFolder(folder);
      bodies.set(hashBody(body), body);
    }
    return [...bodies.values()];
  }

  /** The hash of this tree with `changes` made to it. */
  with(changes: readonly ChangedFile[]): string {
    const folders = new Map<BytePath, Map<string, { mode: number; oid: string }>>();
    const open = (dir: BytePath): Map<string, { mode: number; oid: string }> => {
      let folder = folders.get(dir);
      if (folder === undefined) {
        folders.set(dir, folder = new Map(this.#folders.get(dir)));
        if (dir !== "") open(split(dir)[0]);
      }
      return folder;
    };
    // Deletions first: a file may make room for a folder of its name, and the other way round.
    for (const { path, oid } of changes) {
      const [dir, name] = split(path);
      if (oid === null) open(dir).delete(name);
    }
    const added = changes.filter((change) => change.oid !== null);
    for (const { path } of added) open(split(path)[0]);
    const files = new Map(added.map(({ path, mode, oid }) => [path, { mode, oid: oid ?? "" }]));
    for (const dir of deepestFirst(folders.keys())) {
      const folder = open(dir);
      for (const [path, file] of files) {
        const [above, name] = split(path);
        if (above === dir) folder.set(name, file);
      }
      if (dir === "") continue;
      const [above, name] = split(dir);
      if (folder.size > 0) open(above).set(name, { mode: FOLDER, oid: hashFolder(folder) });
      else if (open(above).get(name)?.mode === FOLDER) open(above).delete(name);
    }
    return hashFolder(open(""));
  }
}

function split(path: BytePath): [dir: BytePath, name: string] {
  const at = path.lastIndexOf("/");
  return at === -1 ? ["", path] : [path.slice(0, at), path.slice(at + 1)];
}

function deepestFirst(dirs: Iterable<BytePath>): BytePath[] {
  const depth = (dir: BytePath) => (dir === "" ? 0 : dir.split("/").length);
  return [...dirs].sort((a, b) => depth(b) - depth(a));
}

/** https://git-scm.com/book/en/v2/Git-Internals-Git-Objects: folders sort as if they ended in `/`. */
function formatFolder(folder: Folder): Buffer {
  const keyed = [...folder].map(([name, entry]) => {
    return { key: entry.mode === FOLDER ? `${name}/` : name, name, ...entry };
  });
  keyed.sort((a, b) => (a.key < b.key ? -1 : 1));
  return Buffer.concat(keyed.flatMap(({ name, mode, oid }) => [
    toBytes(`${mode.toString(8)} ${name}\0`),
    Buffer.from(oid, "hex"),
  ]));
}

function hashBody(body: Buffer): string {
  return createHash("sha1").update(`tree ${body.length}\0`).update(body).digest("hex");
}

function hashFolder(folder: Folder): string {
  return hashBody(formatFolder(folder));
}
