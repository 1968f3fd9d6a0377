import {
  lstatSync,
  lutimesSync,
  mkdirSync,
  readFileSync,
  readlinkSync,
  rmdirSync,
  rmSync,
  type Stats,
  symlinkSync,
  unlinkSync,
  utimesSync,
  writeFileSync,
} from "node:fs";
import { dirname } from "node:path";
import { SidecanaryError } from "../../errors.ts";
import type { Change, FileChange } from "../provider.ts";
import { materialiseBytes } from "./materialise-bytes.ts";
import type { MtimeLedger } from "./mtime-ledger.ts";

/**
 * Puts `change` into the tree at `dir` and makes sure that it is there. No symbolic link of the tree
 * is ever followed, and no file written in place: each path gets a new file, with a modification
 * time from `ledger`.
 *
 * @throws SidecanaryError `sidecar-failed` when the tree does not hold the change afterwards
 */
export async function materialise(
  dir: string,
  change: Change,
  ledger: MtimeLedger,
): Promise<void> {
  const raw: FileChange[] = [];
  const named: { readonly file: FileChange; readonly path: string }[] = [];
  for (const file of change.files) {
    const path = utf8(file.path);
    const target = file.mode === "120000" ? utf8(latin1(file.bytes)) : "";
    if (path === undefined || target === undefined) raw.push(file);
    else named.push({ file, path });
  }
  try {
    // Deletions first: a directory may have to make room for a file.
    for (const { file, path } of named) if (file.mode === "deleted") remove(dir, path);
    for (const { file, path } of named) if (file.mode !== "deleted") put(dir, path, file, ledger);
    if (raw.length > 0) await materialiseBytes(dir, raw, ledger);
    for (const { file, path } of named) verify(dir, path, file);
  } catch (error) {
    const why = error instanceof Error ? error.message : String(error);
    throw new SidecanaryError(
      "sidecar-failed",
      `The change "${change.id}" could not be put into the sandbox: ${why}`,
      { sidecar: dir },
      error,
    );
  }
}

type Present = Exclude<FileChange, { readonly mode: "deleted" }>;

function put(dir: string, path: string, file: Present, ledger: MtimeLedger): void {
  const full = `${dir}/${path}`;
  makeParents(dir, path);
  const before = statOf(full);
  if (before?.isDirectory()) rmSync(full, { recursive: true });
  else if (before !== undefined) unlinkSync(full);
  const time = ledger.next(file.path, before === undefined ? 0 : before.mtimeMs / 1000);
  if (file.mode === "120000") {
    symlinkSync(Buffer.from(file.bytes).toString("utf8"), full);
    lutimesSync(full, time, time);
  } else {
    writeFileSync(full, file.bytes, { flag: "wx", mode: file.mode === "100755" ? 0o777 : 0o666 });
    utimesSync(full, time, time);
  }
}

function makeParents(dir: string, path: string): void {
  const parts = path.split("/").slice(0, -1);
  let current = dir;
  for (const part of parts) {
    current += `/${part}`;
    const stat = statOf(current);
    if (stat?.isDirectory()) continue;
    if (stat !== undefined) unlinkSync(current);
    mkdirSync(current);
  }
}

/** Removes a file and, like git, the directories that it leaves empty. */
function remove(dir: string, path: string): void {
  const full = `${dir}/${path}`;
  const stat = statOf(full);
  if (stat !== undefined) {
    if (stat.isDirectory()) throw new Error(`${path} is a directory and not the file to delete`);
    unlinkSync(full);
  }
  for (let parent = dirname(path); parent !== "."; parent = dirname(parent)) {
    try {
      rmdirSync(`${dir}/${parent}`);
    } catch (error) {
      const { code } = error as NodeJS.ErrnoException;
      if (code === "ENOTEMPTY" || code === "EEXIST" || code === "ENOTDIR") return;
      if (code !== "ENOENT") throw error;
    }
  }
}

function verify(dir: string, path: string, file: FileChange): void {
  const full = `${dir}/${path}`;
  const stat = statOf(full);
  const found = stat === undefined ? "deleted" : modeOf(stat);
  // A directory may have come where a file was deleted, with the files below it.
  if (file.mode === "deleted" ? found !== "deleted" && found !== "040000" : found !== file.mode) {
    throw new Error(`${path} has mode ${found} instead of ${file.mode}`);
  }
  if (file.mode === "deleted") return;
  const bytes = file.mode === "120000" ? Buffer.from(readlinkSync(full)) : readFileSync(full);
  if (!bytes.equals(file.bytes)) throw new Error(`${path} does not hold the content written to it`);
}

function modeOf(stat: Stats): string {
  if (stat.isSymbolicLink()) return "120000";
  if (stat.isDirectory()) return "040000";
  return (stat.mode & 0o100) === 0 ? "100644" : "100755";
}

function statOf(path: string): Stats | undefined {
  try {
    return lstatSync(path);
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException;
    if (code === "ENOENT" || code === "ENOTDIR") return undefined;
    throw error;
  }
}

function latin1(bytes: Uint8Array): string {
  return Buffer.from(bytes).toString("latin1");
}

/** A byte string as text, or `undefined` where the bytes are no UTF-8. */
function utf8(path: string): string | undefined {
  const bytes = Buffer.from(path, "latin1");
  const text = bytes.toString("utf8");
  return Buffer.from(text, "utf8").equals(bytes) ? text : undefined;
}
