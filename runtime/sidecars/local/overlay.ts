import { chmod, chown, mkdir, rename, stat, symlink } from "node:fs/promises";
import { join } from "node:path";
import process from "node:process";
import { SidecanaryError } from "../../errors.ts";
import type { Change, Sandbox, SidecarSpec } from "../provider.ts";
import type { LocalSidecar } from "./local-sidecar.ts";
import { commandEnv, LocalSandbox } from "./local-sandbox.ts";
import { materialise } from "./materialise.ts";
import { MtimeLedger } from "./mtime-ledger.ts";
import { NamespaceCell, type Privilege } from "./namespace-cell.ts";
import { removeTree } from "./remove-tree.ts";
import type { Workspace } from "./workspace.ts";

/** How overlays are mounted here; what the probe found to work. */
export interface OverlayMode {
  readonly privilege: Privilege;
  /** Options of the file system beside the layers. */
  readonly options: readonly string[];
}

interface Covered {
  readonly path: string;
  /** Names below the scratch directory, uppermost first. */
  layers: readonly string[];
}

const MOUNT = `while [ $# -gt 0 ]; do mount -t overlay -o "$1" sidecanary "$2"; shift 2; done`;

/**
 * What the overlays of one campaign have in common. Layers have short names below the scratch
 * directory, as links where need be: an option string knows no way to write every path.
 */
export class OverlayStack {
  readonly workspace: Workspace;
  readonly mode: OverlayMode;
  readonly scratch: string;
  readonly ledger = new MtimeLedger();
  readonly #covered: readonly Covered[];
  #frozen = 0;

  private constructor(
    workspace: Workspace,
    mode: OverlayMode,
    scratch: string,
    covered: readonly Covered[],
  ) {
    this.workspace = workspace;
    this.mode = mode;
    this.scratch = scratch;
    this.#covered = covered;
  }

  static async create(
    workspace: Workspace,
    mode: OverlayMode,
    scratch: string,
  ): Promise<OverlayStack> {
    await symlink(workspace.checkout, join(scratch, "c"));
    const covered: Covered[] = [];
    for (const [index, path] of coveredPaths(workspace).entries()) {
      await symlink(path, join(scratch, `l${index}`));
      const layers = path === workspace.root ? ["c", `l${index}`] : [`l${index}`];
      covered.push({ path, layers });
    }
    return new OverlayStack(workspace, mode, scratch, covered);
  }

  /** Mounts fresh layers in `dir`, a name below the scratch directory. */
  async mount(dir: string, signal: AbortSignal): Promise<NamespaceCell> {
    const args: string[] = [];
    await mkdir(join(this.scratch, dir), { mode: 0o700 });
    await mkdir(join(this.scratch, dir, "t"), { mode: 0o700 });
    for (const [index, { path, layers }] of this.#covered.entries()) {
      const upper = `${dir}/u${index}`;
      const work = `${dir}/w${index}`;
      await makeUpper(join(this.scratch, upper), path);
      await mkdir(join(this.scratch, work), { mode: 0o700 });
      const lower = `lowerdir=${layers.join(":")}`;
      args.push([lower, `upperdir=${upper}`, `workdir=${work}`, ...this.mode.options].join(","));
      args.push(path);
    }
    const { privilege } = this.mode;
    return await NamespaceCell.open({ privilege, cwd: this.scratch, setup: MOUNT, args, signal });
  }

  /** Lets later mounts start from what was written in `dir`, which is not mounted any more. */
  async freeze(dir: string): Promise<void> {
    const name = `f${this.#frozen++}`;
    await rename(join(this.scratch, dir), join(this.scratch, name));
    for (const [index, covered] of this.#covered.entries()) {
      covered.layers = [`${name}/u${index}`, ...covered.layers];
      await removeTree(join(this.scratch, name, `w${index}`));
    }
    await removeTree(join(this.scratch, name, "t"));
    this.ledger.passNow();
  }
}

/** A sidecar whose sandboxes are overlays at the tree's own path. */
export class OverlaySidecar implements LocalSidecar {
  readonly id: string;
  readonly #stack: OverlayStack;
  readonly #spec: SidecarSpec;
  /** Directories that are being removed, or were not removed, by name. */
  readonly #removals = new Map<string, Promise<void>>();
  #opened = 0;
  #open: { readonly sandbox: LocalSandbox; readonly dir: string; kept: boolean } | undefined;
  #destroyed = false;

  constructor(id: string, stack: OverlayStack, spec: SidecarSpec) {
    this.id = id;
    this.#stack = stack;
    this.#spec = spec;
  }

  async open(change: Change | undefined, signal: AbortSignal): Promise<Sandbox> {
    if (this.#destroyed) throw new TypeError(`sidecar ${this.id} was destroyed`);
    if (this.#open !== undefined) throw new TypeError(`sidecar ${this.id} has an open sandbox`);
    const { workspace, scratch, ledger } = this.#stack;
    const dir = `${this.id}.${this.#opened++}`;
    let cell: NamespaceCell;
    try {
      cell = await this.#stack.mount(dir, signal);
    } catch (error) {
      this.#remove(dir);
      throw error;
    }
    const full = join(scratch, dir);
    const sandbox = new LocalSandbox({
      cell,
      cwd: workspace.cwd,
      env: commandEnv(this.#spec, join(full, "t")),
      logDir: full,
      dispose: async () => {
        if (!entry.kept) this.#remove(dir);
        this.#open = undefined;
        await Promise.resolve();
      },
    });
    const entry = { sandbox, dir, kept: false };
    this.#open = entry;
    try {
      if (change !== undefined) await materialise(cell.view + workspace.root, change, ledger);
      signal.throwIfAborted();
    } catch (error) {
      await sandbox.close();
      throw error;
    }
    return sandbox;
  }

  async freeze(sandbox: Sandbox): Promise<void> {
    const entry = this.#open;
    if (entry === undefined || entry.sandbox !== sandbox) {
      throw new TypeError(`the sandbox to freeze is not the open one of sidecar ${this.id}`);
    }
    entry.kept = true;
    await entry.sandbox.close();
    await this.#stack.freeze(entry.dir);
  }

  async alive(): Promise<boolean> {
    if (this.#destroyed) return false;
    return await stat(this.#stack.scratch).then(() => true, () => false);
  }

  async destroy(): Promise<void> {
    this.#destroyed = true;
    await this.#open?.sandbox.close();
    const { scratch } = this.#stack;
    try {
      await Promise.allSettled(this.#removals.values());
      for (const dir of this.#removals.keys()) await removeTree(join(scratch, dir));
    } catch (error) {
      throw new SidecanaryError(
        "sidecar-failed",
        `Sidecar ${this.id} left files below ${scratch}: ${String(error)}`,
        { sidecar: this.id },
        error,
      );
    }
  }

  /** Runs beside the next sandbox: nobody uses the files any more. */
  #remove(dir: string): void {
    const removal = removeTree(join(this.#stack.scratch, dir))
      .then(() => void this.#removals.delete(dir));
    // Removed once more when the sidecar is destroyed.
    removal.catch(() => {});
    this.#removals.set(dir, removal);
  }
}

/** Outer paths first: a mount hides what was mounted below it before. */
function coveredPaths({ root, protect }: Workspace): string[] {
  const outside = protect.filter((path) => path !== root && !path.startsWith(`${root}/`));
  return [...new Set([root, ...outside])].sort((a, b) => a.length - b.length);
}

/** The upper layer's own mode and owner are those that the mounted root shows. */
async function makeUpper(upper: string, like: string): Promise<void> {
  const { mode, uid, gid } = await stat(like);
  await mkdir(upper, { mode: 0o700 });
  await chmod(upper, mode & 0o7777);
  if (process.getuid?.() === 0 && (uid !== 0 || gid !== 0)) await chown(upper, uid, gid);
}
