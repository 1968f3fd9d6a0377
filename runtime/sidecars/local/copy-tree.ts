import {
  chmod,
  lstat,
  mkdir,
  readFile,
  readlink,
  stat,
  symlink,
  unlink,
  writeFile,
} from "node:fs/promises";
import { join } from "node:path";
import process from "node:process";
import { copyOver, copyPaths, overPaths, removePaths } from "./copy-files.ts";
import {
  diffManifests,
  type Entry,
  type Manifest,
  parseEntry,
  takeManifest,
  takePartialManifest,
} from "./manifest.ts";
import { removeTree } from "./remove-tree.ts";

/** What a tree is copied from: later sources lie over earlier ones, and `gone` is removed at last. */
export interface CopySource {
  readonly dirs: readonly string[];
  /** Byte strings. */
  readonly gone: readonly string[];
}

/** The directory at `path` has a copy at `dir`. */
export interface Moved {
  readonly path: string;
  readonly dir: string;
}

/** How a {@link CopyTree} is made. */
export interface CopyTreeOptions {
  readonly dir: string;
  /** The user's directory that this one stands for. */
  readonly original: string;
  readonly source: CopySource;
  /** Whether blocks are shared, and nothing else will do. */
  readonly reflink: boolean;
  /**
   * Which directories are found elsewhere now: absolute links into them, and a `.git` file that
   * names them, are bent to lead there. Empty where every copy is seen at its original's path.
   */
  readonly moved: readonly Moved[];
}

/**
 * A private copy of a directory that can be put back after use: what differs from the manifest is
 * removed or copied again from where it came.
 */
export class CopyTree {
  readonly dir: string;
  #source: CopySource;
  #manifest: Manifest;

  private constructor(dir: string, source: CopySource, manifest: Manifest) {
    this.dir = dir;
    this.#source = source;
    this.#manifest = manifest;
  }

  /**
   * @throws Error with the words of cp, where something cannot be read or written
   */
  static async create(options: CopyTreeOptions): Promise<CopyTree> {
    const { dir, source } = options;
    const like = await stat(options.original);
    await mkdir(dir, { mode: like.mode & 0o7777 });
    for (const from of source.dirs) await copyOver(from, dir, options.reflink);
    await chmod(dir, like.mode & 0o7777);
    await removePaths(dir, source.gone);
    if (options.moved.length > 0) {
      await bendLinks(dir, options.moved);
      await bendGitFile(dir, options.moved);
    }
    return new CopyTree(dir, source, await manifestOf(dir));
  }

  /**
   * Puts back what was changed since the manifest was taken.
   *
   * @returns whether the tree is again what it was; where not, it has to be made anew
   */
  async restore(): Promise<boolean> {
    if (!hasGnuTools()) return false;
    let now: Manifest;
    try {
      now = await takeManifest(this.dir);
    } catch {
      // A directory that cannot be read any more.
      return false;
    }
    const { added, changed } = diffManifests(this.#manifest, now, true);
    if (added.length === 0 && changed.length === 0) return true;
    const wrong = changed.filter((path) => typeOf(now, path) !== "d" || !this.#isDir(path));
    await removePaths(this.dir, [...topmost([...added, ...wrong])]);
    if (!(await this.#restoreDirs(changed))) return false;
    if (!(await this.#restoreFiles(changed.filter((path) => !this.#isDir(path))))) return false;
    // Nothing else has changed, and nothing runs any more that could.
    const again = await takePartialManifest(this.dir, changed);
    const expected = changed.map((path) => [path, this.#manifest.get(path) ?? ""] as const);
    const left = diffManifests(new Map(expected), again, false);
    if (left.added.length > 0 || left.changed.length > 0) return false;
    this.#manifest = new Map([...this.#manifest, ...again]);
    return true;
  }

  /**
   * Takes what the tree holds now as what it is put back to, and copies what is new into `delta`.
   *
   * @returns the source of a tree that equals this one
   */
  async keep(delta: string): Promise<CopySource> {
    await mkdir(delta, { mode: 0o700 });
    if (!hasGnuTools()) return await this.#keepWhole(delta);
    const now = await takeManifest(this.dir);
    const { added, changed } = diffManifests(this.#manifest, now, true);
    const present = [...added, ...changed].filter((path) => now.has(path));
    const files = present.filter((path) => typeOf(now, path) !== "d");
    const dirs = present.filter((path) => typeOf(now, path) === "d");
    await overPaths(["mkdir", "-p", "--"], delta, dirs);
    await copyPaths(this.dir, delta, files);
    const missing = [...topmost(changed.filter((path) => !now.has(path)))];
    const retyped = changed.filter((path) => {
      return now.has(path) && typeOf(now, path) !== typeOf(this.#manifest, path);
    });
    this.#manifest = now;
    // cp cannot lay a file over a directory: a whole copy is the simple way out.
    if (retyped.length > 0) {
      await removeTree(delta);
      await mkdir(delta, { mode: 0o700 });
      return await this.#keepWhole(delta);
    }
    const gone = [...this.#source.gone.filter((path) => !now.has(path)), ...missing];
    this.#source = { dirs: [...this.#source.dirs, delta], gone };
    return this.#source;
  }

  async #keepWhole(delta: string): Promise<CopySource> {
    await copyOver(this.dir, delta, false);
    this.#source = { dirs: [delta], gone: [] };
    return this.#source;
  }

  /**
   * Brings a clean copy to a later state of its own source.
   *
   * @returns whether `source` is one; where not, the tree has to be made anew
   */
  async advance(source: CopySource): Promise<boolean> {
    const { dirs } = this.#source;
    if (!hasGnuTools() || dirs.some((dir, index) => source.dirs[index] !== dir)) return false;
    for (const from of source.dirs.slice(dirs.length)) await copyOver(from, this.dir, false);
    await removePaths(this.dir, source.gone);
    this.#source = source;
    this.#manifest = await takeManifest(this.dir);
    return true;
  }

  #entry(path: string): Entry | undefined {
    const text = this.#manifest.get(path);
    return text === undefined ? undefined : parseEntry(text);
  }

  #isDir(path: string): boolean {
    return typeOf(this.#manifest, path) === "d";
  }

  async #restoreDirs(changed: readonly string[]): Promise<boolean> {
    for (const path of changed.filter((path) => this.#isDir(path)).sort()) {
      const entry = this.#entry(path);
      const name = textOf(path);
      if (entry === undefined || name === undefined) return false;
      await mkdir(join(this.dir, name), { recursive: true });
      await chmod(join(this.dir, name), entry.mode);
    }
    return true;
  }

  async #restoreFiles(paths: readonly string[]): Promise<boolean> {
    const bySource = new Map<string, string[]>();
    for (const path of paths) {
      const from = await this.#sourceOf(path);
      if (from === undefined) return false;
      const list = bySource.get(from) ?? [];
      bySource.set(from, list);
      list.push(path);
    }
    for (const [from, list] of bySource) await copyPaths(from, this.dir, list);
    return true;
  }

  /** The uppermost source that still holds the file as it was copied. */
  async #sourceOf(path: string): Promise<string | undefined> {
    const entry = this.#entry(path);
    const name = textOf(path);
    if (entry === undefined || name === undefined) return undefined;
    for (const from of [...this.#source.dirs].reverse()) {
      const found = await lstat(join(from, name)).catch(() => undefined);
      if (found === undefined) continue;
      if (entry.type === "l") {
        const target = found.isSymbolicLink() ? await readlink(join(from, name)) : undefined;
        return target === targetOf(entry) ? from : undefined;
      }
      const same = found.isFile() && found.size === entry.size &&
        Math.abs(found.mtimeMs - Number(entry.mtime) * 1000) < 2;
      return same && entry.type === "f" ? from : undefined;
    }
    return undefined;
  }
}

async function manifestOf(dir: string): Promise<Manifest> {
  return hasGnuTools() ? await takeManifest(dir) : new Map();
}

/** Only GNU's find and cp list and copy exactly enough to put a tree back. */
function hasGnuTools(): boolean {
  return process.platform === "linux";
}

async function bendLinks(dir: string, moved: readonly Moved[]): Promise<void> {
  for (const [path, text] of await manifestOf(dir)) {
    const entry = parseEntry(text);
    const name = entry.type === "l" ? textOf(path) : undefined;
    const bent = name === undefined ? undefined : bend(targetOf(entry), moved);
    if (name === undefined || bent === undefined) continue;
    await unlink(join(dir, name));
    await symlink(bent, join(dir, name));
  }
}

/** A linked worktree's `.git` is a file that names a directory of its repository. */
async function bendGitFile(dir: string, moved: readonly Moved[]): Promise<void> {
  const file = join(dir, ".git");
  const found = await lstat(file).catch(() => undefined);
  if (found?.isFile() !== true) return;
  const [, place = "", rest = ""] = /^gitdir: (.*?)(\n*)$/s.exec(await readFile(file, "utf8")) ??
    [];
  const bent = bend(place, moved);
  if (bent !== undefined) await writeFile(file, `gitdir: ${bent}${rest}`);
}

function bend(target: string, moved: readonly Moved[]): string | undefined {
  for (const { path, dir } of moved) {
    if (target === path || target.startsWith(`${path}/`)) return dir + target.slice(path.length);
  }
  return undefined;
}

/** Those paths that lie below no other of them. */
function* topmost(paths: readonly string[]): Iterable<string> {
  const all = new Set(paths);
  for (const path of all) {
    let parent = path.lastIndexOf("/");
    while (parent > 0 && !all.has(path.slice(0, parent))) {
      parent = path.lastIndexOf("/", parent - 1);
    }
    if (parent <= 0) yield path;
  }
}

function typeOf(manifest: Manifest, path: string): string | undefined {
  return manifest.get(path)?.[0];
}

function targetOf(entry: Entry): string {
  return Buffer.from(entry.target, "latin1").toString("utf8");
}

function textOf(path: string): string | undefined {
  const bytes = Buffer.from(path, "latin1");
  const text = bytes.toString("utf8");
  return Buffer.from(text, "utf8").equals(bytes) ? text : undefined;
}
