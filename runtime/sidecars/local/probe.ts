import { execFile } from "node:child_process";
import { lstat, mkdir, readdir, stat, writeFile } from "node:fs/promises";
import { join } from "node:path";
import process from "node:process";
import { promisify } from "node:util";
import { SidecanaryError } from "../../errors.ts";
import { MtimeLedger } from "./mtime-ledger.ts";
import { materialise } from "./materialise.ts";
import { mountsBelow } from "./mounts.ts";
import { NamespaceCell, type Privilege } from "./namespace-cell.ts";
import { OverlayStack } from "./overlay.ts";
import { removeTree } from "./remove-tree.ts";
import { runCommand } from "./run-command.ts";
import { makeScratch } from "./scratch.ts";
import type { Workspace } from "./workspace.ts";

/** The kinds of local isolation, best first. */
export type LocalKind = "overlay" | "reflink" | "copy";

/** What works in this tree. */
export type Isolation =
  & {
    /** A directory of this process, already made, where layers or copies go. */
    readonly scratch: string;
    /** For people: "overlay in a user namespace". */
    readonly description: string;
    /** Why better kinds were passed over, one sentence each. */
    readonly refused: readonly string[];
  }
  & (
    | {
      readonly kind: "overlay";
      readonly privilege: Privilege;
      readonly options: readonly string[];
    }
    /** `privilege`: what mounts a copy at the tree's own path; `undefined` where nothing may. */
    | { readonly kind: "reflink" | "copy"; readonly privilege: Privilege | undefined }
  );

/** What to probe for. */
export interface ProbeOptions {
  /** Where a scratch directory may go, best first. */
  readonly bases: readonly string[];
  /**
   * The only kind to accept.
   * @default the best that works
   */
  readonly kind?: LocalKind | undefined;
  /**
   * Whether namespaces may be used; without them there is no overlay, and copies run at their own
   * path.
   * @default true
   */
  readonly namespaces?: boolean | undefined;
  readonly signal: AbortSignal;
}

/**
 * Finds the best isolation by really mounting, writing and running a command with this tree.
 *
 * @throws SidecanaryError `sandbox-unavailable` when the wanted kind, or none, works
 */
export async function probeIsolation(
  workspace: Workspace,
  options: ProbeOptions,
): Promise<Isolation> {
  const refused: string[] = [];
  const wanted = options.kind;
  const bases = await usableBases(workspace, options.bases, refused);
  const [firstBase] = bases;
  if (firstBase === undefined) {
    throw unavailable(wanted ?? "local", [
      `no scratch directory outside ${workspace.root} can be written to; ` +
      "set TMPDIR to one that can",
      ...refused,
    ]);
  }
  const privilege: Privilege = process.getuid?.() === 0 ? "root" : "user-namespace";
  const namespaces = (options.namespaces ?? true) && process.platform === "linux";
  if ((wanted ?? "overlay") === "overlay") {
    if (!namespaces) refused.push("overlay: no namespaces here");
    else {
      const found = await probeOverlay(workspace, bases, privilege, refused, options.signal);
      if (found !== undefined) return found;
    }
    if (wanted === "overlay") throw unavailable("overlay", refused);
  }
  const binding = namespaces
    ? await probeBinding(firstBase, privilege, refused, options.signal)
    : undefined;
  if (wanted !== "copy") {
    for (const base of bases) {
      const scratch = await makeScratch(base);
      const reason = await probeReflink(workspace.root, scratch);
      if (reason === undefined) {
        const description = `copies that share blocks (reflink)${placeOf(binding)}`;
        return { kind: "reflink", privilege: binding, scratch, description, refused };
      }
      refused.push(`reflink from ${workspace.root} to ${base}: ${reason}`);
      await removeTree(scratch);
    }
    if (wanted === "reflink") throw unavailable("reflink", refused);
  }
  const scratch = await makeScratch(firstBase);
  const description = `one copy of the tree a worker${placeOf(binding)}`;
  return { kind: "copy", privilege: binding, scratch, description, refused };
}

async function probeOverlay(
  workspace: Workspace,
  bases: readonly string[],
  privilege: Privilege,
  refused: string[],
  signal: AbortSignal,
): Promise<Isolation | undefined> {
  for (const dir of [workspace.root, ...workspace.protect]) {
    const nested = mountsBelow(dir);
    if (nested.length === 0) continue;
    refused.push(`overlay: ${nested.join(", ")} is mounted below ${dir}; an overlay would hide it`);
    return undefined;
  }
  for (const base of bases) {
    // Without a sync on unmounting first; a kernel before 5.10 does not know how.
    for (const options of optionSets(privilege)) {
      let scratch: string | undefined;
      try {
        scratch = await makeScratch(base);
        await tryOverlay(workspace, { privilege, options }, scratch, signal);
        await removeTree(scratch);
        scratch = await makeScratch(base);
        const where = privilege === "root" ? "" : " in a user namespace";
        const description = `overlay${where}`;
        return { kind: "overlay", privilege, options, scratch, description, refused };
      } catch (error) {
        if (scratch !== undefined) await removeTree(scratch);
        signal.throwIfAborted();
        refused.push(`overlay in ${base} (${options.join(",")}): ${messageOf(error)}`);
      }
    }
  }
  return undefined;
}

function optionSets(privilege: Privilege): string[][] {
  // Renaming a directory of a lower layer needs redirect_dir, which goes with root's attributes only.
  const base = privilege === "root" ? ["redirect_dir=on"] : ["userxattr"];
  return [["volatile", ...base], base];
}

async function tryOverlay(
  workspace: Workspace,
  mode: { readonly privilege: Privilege; readonly options: readonly string[] },
  scratch: string,
  signal: AbortSignal,
): Promise<void> {
  const stack = await OverlayStack.create(workspace, mode, scratch);
  const cell = await stack.mount("p", signal);
  const name = `.sidecanary-probe-${process.pid}`;
  try {
    const bytes = Buffer.from("1");
    const view = cell.view + workspace.root;
    const files = [{ path: `${name}/a`, mode: "100755" as const, bytes }];
    await materialise(view, { id: "probe", files }, new MtimeLedger());
    // Copies a lower file up and deletes it again: what a layer that cannot be written to refuses.
    const lower = await firstFile(view);
    const touch = lower === undefined ? "" : `&& touch -- "$PROBE" && rm -- "$PROBE"`;
    const command = `test -x ${name}/a ${touch} && mkdir ${name}/b && mv ${name} ${name}.2`;
    const result = await runCommand(
      {
        cell,
        cwd: workspace.root,
        env: { PATH: process.env["PATH"] ?? "", PROBE: lower ?? "" },
        logDir: join(scratch, "p"),
      },
      command,
      { timeoutMs: 10_000, signal },
    );
    if (result.kind === "exit" && result.code === 0) return;
    throw new Error(
      result.kind === "lost"
        ? result.failure.message
        : result.stderrTail.trim() || `a command in it ended with ${result.kind}`,
    );
  } finally {
    await cell.end();
  }
}

async function firstFile(dir: string): Promise<string | undefined> {
  const entries = await readdir(dir, { withFileTypes: true });
  return entries.find((entry) => entry.isFile())?.name;
}

/** Whether a copy can be mounted over another directory in private namespaces. */
async function probeBinding(
  base: string,
  privilege: Privilege,
  refused: string[],
  signal: AbortSignal,
): Promise<Privilege | undefined> {
  const scratch = await makeScratch(base);
  try {
    await mkdir(join(scratch, "a"));
    await mkdir(join(scratch, "b"));
    await writeFile(join(scratch, "a", "file"), "");
    const cell = await NamespaceCell.open({
      privilege,
      cwd: scratch,
      setup: "mount --bind a b",
      args: [],
      signal,
    });
    try {
      await stat(`${cell.view}${scratch}/b/file`);
      return privilege;
    } finally {
      await cell.end();
    }
  } catch (error) {
    signal.throwIfAborted();
    refused.push(`namespaces: ${messageOf(error)}`);
    return undefined;
  } finally {
    await removeTree(scratch);
  }
}

/** Why a file of `root` cannot be cloned into `scratch`; `undefined` when it can. */
async function probeReflink(root: string, scratch: string): Promise<string | undefined> {
  try {
    // An empty file is "cloned" everywhere.
    const source = await sizeableFile(root);
    if (source === undefined) return "the tree holds no file to try it with";
    const args = process.platform === "darwin"
      ? ["-c", source, join(scratch, "clone")]
      : ["--reflink=always", source, join(scratch, "clone")];
    await promisify(execFile)("cp", args);
    return undefined;
  } catch (error) {
    return messageOf(error);
  } finally {
    await removeTree(join(scratch, "clone"));
  }
}

async function sizeableFile(root: string, depth = 4): Promise<string | undefined> {
  const entries = await readdir(root, { withFileTypes: true });
  for (const entry of entries) {
    const path = join(root, entry.name);
    if (entry.isFile() && (await lstat(path)).size > 0) return path;
  }
  if (depth === 0) return undefined;
  for (const entry of entries) {
    if (!entry.isDirectory()) continue;
    const found = await sizeableFile(join(root, entry.name), depth - 1);
    if (found !== undefined) return found;
  }
  return undefined;
}

/** The bases outside the root that really take a directory; of the others `refused` says why not. */
async function usableBases(
  { root }: Workspace,
  bases: readonly string[],
  refused: string[],
): Promise<string[]> {
  const usable: string[] = [];
  for (const base of bases) {
    if (base === root || base.startsWith(root === "/" ? "/" : `${root}/`)) continue;
    try {
      await removeTree(await makeScratch(base));
      usable.push(base);
    } catch (error) {
      refused.push(`${base}: ${messageOf(error)}`);
    }
  }
  return usable;
}

function placeOf(binding: Privilege | undefined): string {
  if (binding === undefined) return ", at a path of its own";
  return binding === "root" ? "" : " in a user namespace";
}

function messageOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}

function unavailable(wanted: string, reasons: readonly string[]): SidecanaryError {
  const reason = reasons.join("; ") || "no reason was given";
  return new SidecanaryError(
    "sandbox-unavailable",
    `A sandbox of the kind "${wanted}" cannot be made here: ${reason}`,
    { wanted, reason },
  );
}
