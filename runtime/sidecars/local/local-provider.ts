import { mkdir, realpath, stat } from "node:fs/promises";
import { tmpdir } from "node:os";
import process from "node:process";
import { SidecanaryError } from "../../errors.ts";
import type {
  Provider,
  Sidecar,
  SidecarRef,
  SidecarSpec,
  SidecarTally,
  SweepReport,
} from "../provider.ts";
import { CopySidecar, CopyStock } from "./copy.ts";
import type { LocalSidecar } from "./local-sidecar.ts";
import { OneAtATime } from "./one-at-a-time.ts";
import { OverlaySidecar, OverlayStack } from "./overlay.ts";
import { type Isolation, type LocalKind, probeIsolation } from "./probe.ts";
import { removeTree } from "./remove-tree.ts";
import { sweepScratch } from "./scratch.ts";
import type { Workspace } from "./workspace.ts";

/** How {@link createLocalProvider} works. */
export interface LocalOptions {
  /** The user's tree. */
  readonly root: string;
  /**
   * Where commands run: `root` or a directory below it.
   * @default root
   */
  readonly cwd?: string;
  /** A checkout of the payload outside `root`; nothing may change it until the provider is closed. */
  readonly checkout: string;
  /**
   * Directories outside `root` that commands must not change either: git's common directory.
   * @default []
   */
  readonly protect?: readonly string[];
  /**
   * Where layers and copies may go, best first: a directory of sidecanary's state, say. Those below
   * `root` are passed over.
   * @default []; the system's directory for temporary files and /dev/shm always follow
   */
  readonly scratch?: readonly string[];
  /**
   * The only isolation to accept.
   * @default the best that works: overlay, reflink, copy
   */
  readonly kind?: LocalKind;
  /**
   * Whether namespaces may be used.
   * @default true
   */
  readonly namespaces?: boolean;
  readonly signal: AbortSignal;
}

/** A provider of sandboxes on this machine. */
export interface LocalProvider extends Provider {
  readonly kind: LocalKind;
  /** Why better kinds were passed over, one sentence each. */
  readonly refused: readonly string[];
}

/**
 * Probes this tree and answers a provider of the best isolation that works.
 *
 * @throws SidecanaryError `sandbox-unavailable` with the kernel's reason
 */
export async function createLocalProvider(options: LocalOptions): Promise<LocalProvider> {
  const root = await realpath(options.root);
  const cwd = await realpath(options.cwd ?? root);
  if (cwd !== root && !cwd.startsWith(root === "/" ? "/" : `${root}/`)) {
    throw new RangeError(`the working directory ${cwd} does not lie below the root ${root}`);
  }
  const workspace: Workspace = {
    root,
    cwd,
    checkout: await realpath(options.checkout),
    protect: await Promise.all((options.protect ?? []).map((path) => realpath(path))),
  };
  const bases = await scratchBases(options.scratch ?? []);
  const { kind, namespaces, signal } = options;
  const isolation = await probeIsolation(workspace, { bases, kind, namespaces, signal });
  try {
    return new Local(isolation, bases, await sidecarMaker(workspace, isolation));
  } catch (error) {
    await removeTree(isolation.scratch);
    throw error;
  }
}

/**
 * Removes what dead processes left in `scratch` and in the system's own temporary directories; for
 * a start that does not make a provider.
 */
export async function sweepLocal(scratch: readonly string[] = []): Promise<SweepReport> {
  return await sweepScratch(await scratchBases(scratch));
}

type MakeSidecar = (id: string, spec: SidecarSpec) => Promise<LocalSidecar>;

async function sidecarMaker(workspace: Workspace, isolation: Isolation): Promise<MakeSidecar> {
  if (isolation.kind === "overlay") {
    const { privilege, options, scratch } = isolation;
    const stack = await OverlayStack.create(workspace, { privilege, options }, scratch);
    return async (id, spec) => await Promise.resolve(new OverlaySidecar(id, stack, spec));
  }
  const { privilege, scratch } = isolation;
  const stock = new CopyStock(
    workspace,
    { privilege, reflink: isolation.kind === "reflink" },
    scratch,
  );
  return async (id, spec) => {
    const sidecar = new CopySidecar(id, stock, spec);
    await sidecar.prepare();
    return sidecar;
  };
}

class Local implements LocalProvider {
  readonly kind: LocalKind;
  readonly warmth: "shared" | "own";
  readonly refused: readonly string[];
  readonly #isolation: Isolation;
  readonly #bases: readonly string[];
  readonly #make: MakeSidecar;
  readonly #sidecars = new Map<string, { readonly sidecar: Sidecar; readonly worker: number }>();
  readonly #making = new Set<Promise<Sidecar>>();
  #made = 0;
  #closing = false;

  constructor(isolation: Isolation, bases: readonly string[], make: MakeSidecar) {
    this.kind = isolation.kind;
    // What a build makes holds the path it ran at: copies at paths of their own cannot share it.
    this.warmth = isolation.privilege === undefined ? "own" : "shared";
    this.refused = isolation.refused;
    this.#isolation = isolation;
    this.#bases = bases;
    this.#make = make;
  }

  describe(): string {
    return this.#isolation.description;
  }

  async create(spec: SidecarSpec, signal: AbortSignal): Promise<Sidecar> {
    signal.throwIfAborted();
    if (this.#closing) throw new TypeError("the provider was closed");
    const making = this.#create(`local-${this.#made++}`, spec);
    this.#making.add(making);
    try {
      return await making;
    } finally {
      this.#making.delete(making);
    }
  }

  async #create(id: string, spec: SidecarSpec): Promise<Sidecar> {
    const made = new OneAtATime(await this.#make(id, spec));
    const sidecar: Sidecar = {
      id,
      // The provider has the payload, and nothing lies between.
      sync: () => Promise.resolve(),
      attach: () => Promise.resolve(),
      onDisconnect: () => () => {},
      open: async (change, signal) => await made.open(change, signal),
      freeze: async (sandbox) => await made.freeze(sandbox),
      alive: async () => await made.alive(),
      destroy: async () => {
        await made.destroy();
        this.#sidecars.delete(id);
      },
    };
    this.#sidecars.set(id, { sidecar, worker: spec.worker });
    return sidecar;
  }

  async remove(worker: number): Promise<void> {
    const there = [...this.#sidecars.values()].filter((each) => each.worker === worker);
    await Promise.all(there.map(({ sidecar }) => sidecar.destroy()));
  }

  tally(): SidecarTally {
    const left = [...this.#sidecars.keys()];
    return { created: this.#made, destroyed: this.#made - left.length, left };
  }

  async list(): Promise<readonly SidecarRef[]> {
    return await Promise.resolve([...this.#sidecars].map(([id, { worker }]) => ({ id, worker })));
  }

  async sweep(): Promise<SweepReport> {
    return await sweepScratch(this.#bases);
  }

  async close(): Promise<void> {
    this.#closing = true;
    await Promise.allSettled(this.#making);
    const all = [...this.#sidecars.values()].map(({ sidecar }) => sidecar.destroy());
    const failures = (await Promise.allSettled(all))
      .flatMap((result): unknown[] => result.status === "rejected" ? [result.reason] : []);
    const { scratch } = this.#isolation;
    await removeTree(scratch).catch((error) => failures.push(error));
    if (failures.length === 0) return;
    throw new SidecanaryError(
      "sidecar-failed",
      `Not everything below ${scratch} could be ended and removed; look at it by hand. ` +
        failures.map(messageOf).join("; "),
      { sidecar: scratch },
      failures[0],
    );
  }
}

function messageOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}

async function scratchBases(wanted: readonly string[]): Promise<string[]> {
  const bases: string[] = [];
  for (const dir of wanted) {
    await mkdir(dir, { recursive: true, mode: 0o700 });
    bases.push(await realpath(dir));
  }
  try {
    bases.push(await realpath(tmpdir()));
  } catch {
    // A TMPDIR that leads nowhere: the other places will do.
  }
  const shared = "/dev/shm";
  if (process.platform === "linux" && await stat(shared).then(() => true, () => false)) {
    bases.push(shared);
  }
  return [...new Set(bases)];
}
