import { Buffer, isUtf8 } from "node:buffer";
import { lstatSync, type Stats } from "node:fs";
import process from "node:process";
import { SidecanaryError } from "../errors.ts";
import { type BytePath, toBytes, toText } from "./byte-path.ts";

/** The path below `root` as `node:fs` takes it. */
export function livePath(root: string, path: BytePath): string | Buffer {
  // deno-lint-ignore no-control-regex
  if (/^[\u0000-\u007f]*$/.test(path)) return `${root}/${path}`;
  return Buffer.concat([Buffer.from(`${root}/`, "utf8"), toBytes(path)]);
}

/** Whether this runtime can open a file of this name: Deno's paths are UTF-8, git's are bytes. */
export function isReachable(path: BytePath): boolean {
  return process.versions["deno"] === undefined || isUtf8(toBytes(path));
}

/** @throws SidecanaryError `payload-failed` when this runtime cannot open a file of this name */
export function assertReachable(path: BytePath): void {
  if (!isReachable(path)) throw unreadable(path, "its name is not UTF-8, which Deno cannot open");
}

/**
 * What stands at a path, symbolic links not followed; `undefined` where there is nothing.
 *
 * @throws SidecanaryError `payload-failed` when it cannot be told
 */
export function lstatLive(root: string, path: BytePath): Stats | undefined {
  try {
    return lstatSync(livePath(root, path), { throwIfNoEntry: false });
  } catch (cause) {
    if ((cause as NodeJS.ErrnoException).code === "ENOTDIR") return undefined;
    throw unreadable(path, cause);
  }
}

/** The error for a file that cannot be read. */
export function unreadable(path: BytePath, cause: unknown): SidecanaryError {
  const why = cause instanceof Error ? cause.message : String(cause);
  return new SidecanaryError(
    "payload-failed",
    `Cannot read "${toText(path)}": ${why}. Make it readable, or have git ignore it`,
    { path: toText(path) },
    cause,
  );
}
