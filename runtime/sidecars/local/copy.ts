import { mkdir, rename, stat } from "node:fs/promises";
import { basename, join } from "node:path";
import { SidecanaryError } from "../../errors.ts";
import type { Change, Sandbox, SidecarSpec } from "../provider.ts";
import type { LocalSidecar } from "./local-sidecar.ts";
import type { Cell } from "./cell.ts";
import { type CopySource, CopyTree } from "./copy-tree.ts";
import { commandEnv, LocalSandbox } from "./local-sandbox.ts";
import { MarkedCell } from "./marked-cell.ts";
import { materialise } from "./materialise.ts";
import { MtimeLedger } from "./mtime-ledger.ts";
import { NamespaceCell, type Privilege } from "./namespace-cell.ts";
import { removeTree } from "./remove-tree.ts";
import type { Workspace } from "./workspace.ts";

/** How copies are made and entered here. */
export interface CopyMode {
  readonly reflink: boolean;
  /** What mounts a copy at the tree's own path; `undefined`: commands run at the copy's path. */
  readonly privilege: Privilege | undefined;
}

/** What each covered directory is copied from, in their order. */
type Sources = readonly CopySource[];

const BIND = `while [ $# -gt 0 ]; do mount --bind "$1" "$2"; shift 2; done`;

/** What the copies of one campaign have in common. */
export class CopyStock {
  readonly workspace: Workspace;
  readonly mode: CopyMode;
  readonly scratch: string;
  readonly ledger = new MtimeLedger();
  /** The directories that commands must not change: the root first. */
  readonly covered: readonly string[];
  /** Where later copies start; every sidecar's own business where copies have paths of their own. */
  sources: Sources;
  #frozen = 0;

  constructor(workspace: Workspace, mode: CopyMode, scratch: string) {
    this.workspace = workspace;
    this.mode = mode;
    this.scratch = scratch;
    const { root, protect, checkout } = workspace;
    const outside = protect.filter((path) => path !== root && !path.startsWith(`${root}/`));
    this.covered = [root, ...outside];
    this.sources = this.covered.map((path) => ({
      dirs: path === root ? [root, checkout] : [path],
      gone: [],
    }));
  }

  async copy(home: string, sources: Sources): Promise<CopyTree[]> {
    const trees: CopyTree[] = [];
    await mkdir(home, { mode: 0o700 });
    const { reflink, privilege } = this.mode;
    const dirs = this.covered.map((path, index) => ({ path, dir: join(home, `u${index}`) }));
    const moved = privilege === undefined ? dirs : [];
    for (const [index, { path, dir }] of dirs.entries()) {
      const source = sources[index] ?? { dirs: [path], gone: [] };
      trees.push(await CopyTree.create({ dir, source, reflink, moved, original: path }));
    }
    return trees;
  }

  /** Keeps what `trees` hold now, as what they and other copies can start from. */
  async keep(trees: readonly CopyTree[]): Promise<Sources> {
    const dir = join(this.scratch, `f${this.#frozen++}`);
    await mkdir(dir, { mode: 0o700 });
    const sources: CopySource[] = [];
    for (const [index, tree] of trees.entries()) {
      sources.push(await tree.keep(join(dir, `u${index}`)));
    }
    this.ledger.passNow();
    return sources;
  }
}

/** A sidecar with one copy of the tree, put back after every sandbox. */
export class CopySidecar implements LocalSidecar {
  readonly id: string;
  readonly #stock: CopyStock;
  readonly #spec: SidecarSpec;
  readonly #home: string;
  readonly #removals: Promise<void>[] = [];
  readonly #dir: string;
  #sources: Sources;
  #trees: CopyTree[] | undefined;
  #opened = 0;
  #open: { readonly sandbox: LocalSandbox; kept: boolean } | undefined;
  #destroyed = false;

  constructor(id: string, stock: CopyStock, spec: SidecarSpec) {
    this.id = id;
    this.#stock = stock;
    this.#spec = spec;
    this.#home = join(stock.scratch, id);
    // Always the same path: builds write their own into what they make.
    this.#dir = join(this.#home, "c");
    this.#sources = stock.sources;
  }

  /** Makes the copy ahead of the first sandbox. */
  async prepare(): Promise<void> {
    await mkdir(this.#home, { mode: 0o700, recursive: true });
    await this.#ready();
  }

  async open(change: Change | undefined, signal: AbortSignal): Promise<Sandbox> {
    if (this.#destroyed) throw new TypeError(`sidecar ${this.id} was destroyed`);
    if (this.#open !== undefined) throw new TypeError(`sidecar ${this.id} has an open sandbox`);
    signal.throwIfAborted();
    const { workspace, ledger } = this.#stock;
    const number = this.#opened++;
    const trees = await this.#ready();
    const [tree] = trees;
    if (tree === undefined) throw new TypeError("a copy has no tree");
    const temporary = join(this.#home, `t${number}`);
    await mkdir(temporary, { mode: 0o700 });
    const { cell, root } = await this.#enter(trees, signal);
    const entry: { readonly sandbox: LocalSandbox; kept: boolean } = {
      sandbox: new LocalSandbox({
        cell,
        cwd: root + workspace.cwd.slice(workspace.root.length),
        env: this.#env(temporary),
        logDir: this.#home,
        dispose: async () => {
          this.#open = undefined;
          this.#discard(temporary);
          if (!entry.kept) await this.#putBack();
        },
      }),
      kept: false,
    };
    this.#open = entry;
    try {
      if (change !== undefined) await materialise(tree.dir, change, ledger);
      signal.throwIfAborted();
    } catch (error) {
      await entry.sandbox.close();
      throw error;
    }
    return entry.sandbox;
  }

  async freeze(sandbox: Sandbox): Promise<void> {
    const entry = this.#open;
    if (entry === undefined || entry.sandbox !== sandbox) {
      throw new TypeError(`the sandbox to freeze is not the open one of sidecar ${this.id}`);
    }
    entry.kept = true;
    await entry.sandbox.close();
    try {
      this.#sources = await this.#stock.keep(this.#trees ?? []);
      if (this.#isShared()) this.#stock.sources = this.#sources;
    } catch (error) {
      await this.#recycle();
      throw new SidecanaryError(
        "sidecar-failed",
        `The state of the sandbox could not be kept: ${String(error)}`,
        { sidecar: this.id },
        error,
      );
    }
  }

  async alive(): Promise<boolean> {
    if (this.#destroyed) return false;
    return await stat(this.#home).then(() => true, () => false);
  }

  async destroy(): Promise<void> {
    this.#destroyed = true;
    if (this.#open !== undefined) {
      this.#open.kept = true;
      await this.#open.sandbox.close();
    }
    try {
      // What one of them left is below the home too.
      await Promise.allSettled(this.#removals);
      await removeTree(this.#home);
    } catch (error) {
      throw new SidecanaryError(
        "sidecar-failed",
        `Sidecar ${this.id} left files below ${this.#home}: ${String(error)}`,
        { sidecar: this.id },
        error,
      );
    }
  }

  async #enter(
    trees: readonly CopyTree[],
    signal: AbortSignal,
  ): Promise<{ readonly cell: Cell; readonly root: string }> {
    const { mode, workspace, covered, scratch } = this.#stock;
    const { privilege } = mode;
    if (privilege === undefined) {
      const mark = `${basename(scratch)}-${this.id}`;
      return { cell: new MarkedCell(`${mark}-${this.#opened}`), root: trees[0]?.dir ?? "" };
    }
    const args = trees.flatMap((tree, index) => [tree.dir, covered[index] ?? ""]);
    const options = { privilege, cwd: this.#home, setup: BIND, args, signal };
    return { cell: await NamespaceCell.open(options), root: workspace.root };
  }

  /** The copy: made where there is none, brought forward where a later state was frozen. */
  async #ready(): Promise<CopyTree[]> {
    const wanted = this.#isShared() ? this.#stock.sources : this.#sources;
    try {
      if (this.#trees !== undefined && wanted !== this.#sources) {
        for (const [index, tree] of this.#trees.entries()) {
          const source = wanted[index];
          if (source !== undefined && await tree.advance(source)) continue;
          await this.#recycle();
          break;
        }
      }
      this.#sources = wanted;
      this.#trees ??= await this.#stock.copy(this.#dir, wanted);
      return this.#trees;
    } catch (error) {
      await this.#recycle();
      throw new SidecanaryError(
        "sidecar-failed",
        `The tree ${this.#stock.workspace.root} could not be copied: ${String(error)}`,
        { sidecar: this.id },
        error,
      );
    }
  }

  #isShared(): boolean {
    return this.#stock.mode.privilege !== undefined;
  }

  async #putBack(): Promise<void> {
    for (const tree of this.#trees ?? []) {
      if (await tree.restore().catch(() => false)) continue;
      await this.#recycle();
      return;
    }
  }

  /** Moves the copy out of the way; it is removed beside the next sandbox. */
  async #recycle(): Promise<void> {
    this.#trees = undefined;
    const trash = join(this.#home, `x${this.#removals.length}`);
    try {
      await rename(this.#dir, trash);
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code === "ENOENT") return;
      throw error;
    }
    this.#discard(trash);
  }

  #discard(dir: string): void {
    const removal = removeTree(dir);
    // Removed once more when the sidecar is destroyed.
    removal.catch(() => {});
    this.#removals.push(removal);
  }

  #env(temporary: string): Record<string, string> {
    const env = commandEnv(this.#spec, temporary);
    if (this.#stock.mode.privilege !== undefined) return env;
    // These lead git past the copy, to the user's repository.
    for (const name of GIT_PLACES) delete env[name];
    return { ...env, GIT_CEILING_DIRECTORIES: this.#home };
  }
}

const GIT_PLACES = [
  "GIT_DIR",
  "GIT_WORK_TREE",
  "GIT_INDEX_FILE",
  "GIT_COMMON_DIR",
  "GIT_OBJECT_DIRECTORY",
  "GIT_ALTERNATE_OBJECT_DIRECTORIES",
];
