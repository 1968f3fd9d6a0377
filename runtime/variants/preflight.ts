import { Buffer } from "node:buffer";
import { readFile, rm, writeFile } from "node:fs/promises";
import { availableParallelism } from "node:os";
import { join } from "node:path";
import { type BytePath, fromText, toText } from "../sync/byte-path.ts";
import { git, gitFailed, type GitOptions, type GitResult, runGit } from "../sync/git.ts";
import { formatIndex, type IndexEntry, parseIndex } from "../sync/index-file.ts";
import type { Payload } from "../sync/payload.ts";
import { readBlobs } from "../sync/read-blobs.ts";
import { readEntries } from "../sync/read-entries.ts";
import { type ChangedFile, TreeHash } from "../sync/tree-hash.ts";
import { changedLines, type PatchRange } from "./patch-location.ts";
import { patchAttempts, type PatchRepair } from "./preflight-attempts.ts";
import { isWithoutPrefix, namesInPatch } from "./preflight-names.ts";
import type { Variant } from "./variant.ts";

/** What applying a variant to the payload comes to. */
export interface PlannedChange {
  readonly variant: Variant;
  /** The hash of the patched tree. */
  readonly tree: string;
  /** The files that differ from the payload, sorted by path; at least one. */
  readonly changed: readonly ChangedFile[];
  readonly location: PatchRange;
  /** A patch that `git apply` takes as it is, at the payload's root. */
  readonly patch: Buffer;
  /** What was done to the variant's patch to get there. */
  readonly repairs: readonly PatchRepair[];
}

/** What is to be done with one variant. */
export type Planned =
  | PlannedChange & { readonly kind: "run" }
  /** It gives the same tree as the earlier variant `of`, whose verdict it shares. */
  | PlannedChange & { readonly kind: "duplicate"; readonly of: string }
  | {
    readonly kind: "error";
    readonly variant: Variant;
    readonly reason: "patch-rejected" | "no-op-patch";
    /** git's own words, or what the patch is. */
    readonly message: string;
  };

/** How variants are looked at. */
export interface PreflightOptions {
  /** @default undefined */
  readonly signal?: AbortSignal | undefined;
  /**
   * How many git processes at once.
   * @default the number of processors, at most 4
   */
  readonly concurrency?: number;
}

/**
 * Applies each variant's patch to the payload in an index of its own, before any sidecar boots. The
 * answers stand in the order of `variants`. An index holds only the files that a patch names, so
 * that its cost does not grow with the payload.
 *
 * @throws SidecanaryError `git-failed` when git fails for a reason that is not the patch
 */
export async function preflight(
  payload: Payload,
  variants: readonly Variant[],
  options: PreflightOptions = {},
): Promise<Planned[]> {
  const { signal, concurrency = Math.min(availableParallelism(), 4) } = options;
  const scene = new Scene(payload, await readEntries(payload), signal);
  const drafts: (Draft | Planned)[] = new Array(variants.length);
  let next = 0;
  const work = async (worker: number): Promise<void> => {
    for (let at = next++; at < variants.length; at = next++) {
      drafts[at] = await scene.apply(variants[at]!, worker);
    }
  };
  const workers = Math.max(1, Math.min(concurrency, variants.length));
  await Promise.all(Array.from({ length: workers }, (_, worker) => work(worker)));

  const first = new Map<string, string>();
  const planned: Planned[] = [];
  for (let at = 0; at < drafts.length; at += BATCH) {
    const batch = drafts.slice(at, at + BATCH);
    const blobs = await scene.blobsOf(batch);
    for (const draft of batch) {
      if (draft.kind !== "draft") {
        planned.push(draft);
        continue;
      }
      const { variant, tree, changed, patch, repairs } = draft;
      const location = scene.locationOf(draft, blobs);
      const change = { variant, tree, changed, location, patch, repairs };
      const of = first.get(tree);
      if (of === undefined) {
        first.set(tree, variant.id);
        planned.push({ kind: "run", ...change });
      } else planned.push({ kind: "duplicate", of, ...change });
    }
  }
  return planned;
}

/** The bytes of a variant's patch. */
export function patchBytes(variant: Variant): Buffer {
  return Buffer.from(variant.patch, variant.patchEncoding ?? "utf8");
}

/** So many variants have their blobs in memory at once. */
const BATCH = 100;

type Draft = Omit<PlannedChange, "location"> & {
  readonly kind: "draft";
  /** The file to point at. */
  readonly path: BytePath;
};

class Scene {
  readonly #payload: Payload;
  readonly #sorted: readonly IndexEntry[];
  readonly #entries: ReadonlyMap<BytePath, IndexEntry>;
  readonly #hash: TreeHash;
  readonly #git: GitOptions;

  constructor(payload: Payload, entries: readonly IndexEntry[], signal: AbortSignal | undefined) {
    this.#payload = payload;
    this.#sorted = entries;
    this.#entries = new Map(entries.map((entry) => [entry.path, entry]));
    this.#hash = new TreeHash(entries);
    this.#git = { cwd: payload.gitDir, gitDir: payload.gitDir, signal };
  }

  async apply(variant: Variant, worker: number): Promise<Draft | Planned> {
    const text = patchBytes(variant).toString("latin1");
    if (text.trim() === "") return noOp(variant, "The patch is empty");
    const indexFile = join(this.#payload.gitDir, `preflight.${worker}`);
    const names = namesInPatch(text);
    const subset = this.#subset(names);
    const index = formatIndex(subset.values());
    const withoutPrefix = isWithoutPrefix(text, (name) => this.#below(`${name}/`).length > 0);
    let refused: GitResult | undefined;
    try {
      for (const attempt of patchAttempts(text, withoutPrefix, this.#payload.cwd)) {
        await writeFile(indexFile, index);
        const args = ["-c", "core.protectHFS=true", "apply", "--cached", "--whitespace=nowarn"];
        const result = await runGit([...args, ...attempt.args, "-"], {
          ...this.#git,
          indexFile,
          input: attempt.patch,
        });
        if (result.exitCode !== 0) {
          if (result.exitCode !== 1 && result.exitCode !== 128) throw gitFailed(args, result);
          refused ??= result;
          continue;
        }
        const changed = difference(subset, parseIndex(await readFile(indexFile)));
        const message = this.#objection(names, changed);
        if (message !== null) return { kind: "error", variant, reason: "patch-rejected", message };
        const tree = this.#hash.with(changed);
        if (tree === this.#payload.tree) return noOp(variant, "The patch changes nothing");
        const patch = attempt.repairs.length === 0
          ? attempt.patch
          : await this.#rewrite(subset, indexFile);
        const path = this.#firstNamed(names, changed);
        return { kind: "draft", variant, tree, changed, patch, repairs: attempt.repairs, path };
      }
    } finally {
      await rm(indexFile, { force: true });
    }
    const message = refused?.stderr || "git apply refused the patch without a word";
    return { kind: "error", variant, reason: "patch-rejected", message };
  }

  blobsOf(drafts: readonly (Draft | Planned)[]): Promise<ReadonlyMap<string, Buffer>> {
    const oids = drafts.flatMap((draft) => {
      if (draft.kind !== "draft") return [];
      return [this.#entries.get(draft.path)?.oid, newBlob(draft)].filter((oid) => oid != null);
    });
    return readBlobs(this.#payload, oids, { signal: this.#git.signal });
  }

  locationOf(draft: Draft, blobs: ReadonlyMap<string, Buffer>): PatchRange {
    const before = blobs.get(this.#entries.get(draft.path)?.oid ?? "") ?? null;
    const after = blobs.get(newBlob(draft) ?? "") ?? null;
    return { file: toText(draft.path), ...changedLines(before, after) };
  }

  /** The entries that git has to see: what is named, what stands above it and what stands below. */
  #subset(names: Iterable<BytePath>): Map<BytePath, IndexEntry> {
    const subset = new Map<BytePath, IndexEntry>();
    const prefix = this.#payload.cwd === "" ? "" : `${fromText(this.#payload.cwd)}/`;
    for (const name of names) {
      for (const path of new Set([name, prefix + name])) {
        for (let at = path.length; at > 0; at = path.lastIndexOf("/", at - 1)) {
          const entry = this.#entries.get(path.slice(0, at));
          if (entry !== undefined) subset.set(entry.path, entry);
        }
        if (this.#entries.has(path)) continue;
        for (const entry of this.#below(`${path}/`)) subset.set(entry.path, entry);
      }
    }
    return subset;
  }

  #below(prefix: BytePath): readonly IndexEntry[] {
    let low = 0;
    let high = this.#sorted.length;
    while (low < high) {
      const middle = (low + high) >> 1;
      if (this.#sorted[middle]!.path < prefix) low = middle + 1;
      else high = middle;
    }
    let end = low;
    while (this.#sorted[end]?.path.startsWith(prefix)) end++;
    return this.#sorted.slice(low, end);
  }

  /** What an index takes and a working tree does not. */
  #objection(names: ReadonlySet<BytePath>, changed: readonly ChangedFile[]): string | null {
    const prefix = this.#payload.cwd === "" ? "" : `${fromText(this.#payload.cwd)}/`;
    for (const { path, oid, mode } of changed) {
      if (oid !== null && !MODES.has(mode)) {
        return `error: ${toText(path)}: a file of mode ${mode.toString(8)} cannot be tried`;
      }
      const named = names.has(path) ||
        (path.startsWith(prefix) && names.has(path.slice(prefix.length)));
      if (oid === null && !named) {
        return `error: ${toText(path)}: stands where the patch makes a file or a folder`;
      }
    }
    return null;
  }

  #firstNamed(names: Iterable<BytePath>, changed: readonly ChangedFile[]): BytePath {
    const paths = new Set(changed.map((file) => file.path));
    const prefix = `${fromText(this.#payload.cwd)}/`;
    for (const name of names) {
      if (paths.has(name)) return name;
      if (paths.has(prefix + name)) return prefix + name;
    }
    return changed[0]!.path;
  }

  /** The change that was made in `indexFile` as git writes it. */
  async #rewrite(subset: ReadonlyMap<BytePath, IndexEntry>, indexFile: string): Promise<Buffer> {
    const before = `${indexFile}.before`;
    try {
      await writeFile(before, formatIndex(subset.values()));
      const tree = (await git(["write-tree"], { ...this.#git, indexFile: before })).toString()
        .trim();
      const args = ["diff-index", "--cached", "-p", "--binary"];
      const plain = ["--full-index", "--no-renames", "--no-ext-diff", "--no-textconv"];
      return await git([...args, ...plain, tree], {
        ...this.#git,
        indexFile,
      });
    } finally {
      await rm(before, { force: true });
    }
  }
}

const MODES: ReadonlySet<number> = new Set([0o100644, 0o100755, 0o120000]);

function noOp(variant: Variant, message: string): Planned {
  return { kind: "error", variant, reason: "no-op-patch", message };
}

function newBlob(draft: Draft): string | null {
  return draft.changed.find((file) => file.path === draft.path)?.oid ?? null;
}

function difference(
  before: ReadonlyMap<BytePath, IndexEntry>,
  after: readonly IndexEntry[],
): ChangedFile[] {
  const changed: ChangedFile[] = [];
  const kept = new Set<BytePath>();
  for (const { path, mode, oid } of after) {
    kept.add(path);
    const old = before.get(path);
    if (old?.mode !== mode || old.oid !== oid) changed.push({ path, mode, oid });
  }
  for (const { path, mode } of before.values()) {
    if (!kept.has(path)) changed.push({ path, mode, oid: null });
  }
  return changed.sort((a, b) => (a.path < b.path ? -1 : 1));
}
