import { Buffer } from "node:buffer";
import { createHash } from "node:crypto";
import { type BytePath, fromBytes } from "./byte-path.ts";

/** One file of a payload. */
export interface IndexEntry {
  readonly path: BytePath;
  /** `0o100644`, `0o100755` or `0o120000` (a symbolic link). */
  readonly mode: number;
  /** The blob, 40 hexadecimal digits. */
  readonly oid: string;
  /** When the file was last modified, as it was captured. */
  readonly mtime: { readonly seconds: number; readonly nanoseconds: number };
  /** When its status last changed. */
  readonly ctimeSeconds: number;
  /** The entry's own bytes in the index file. */
  readonly raw: Buffer;
}

const HEADER = 12;
const FIXED = 62;

/**
 * The entries of a git index, in git's order.
 *
 * Index format, version 2: https://git-scm.com/docs/index-format
 *
 * @throws RangeError when it is of another version, or truncated
 */
export function parseIndex(bytes: Buffer): IndexEntry[] {
  if (bytes.length < HEADER + 20 || bytes.toString("latin1", 0, 4) !== "DIRC") {
    throw new RangeError("not an index file");
  }
  const version = bytes.readUInt32BE(4);
  if (version !== 2) throw new RangeError(`index version ${version} is not 2`);
  const entries: IndexEntry[] = [];
  let at = HEADER;
  for (let left = bytes.readUInt32BE(8); left > 0; left--) {
    const end = bytes.indexOf(0, at + FIXED);
    if (end === -1) throw new RangeError("the index file is truncated");
    const next = at + (((end - at) >> 3) + 1) * 8;
    entries.push({
      path: fromBytes(bytes.subarray(at + FIXED, end)),
      mode: bytes.readUInt32BE(at + 24),
      oid: bytes.toString("hex", at + 40, at + 60),
      ctimeSeconds: bytes.readUInt32BE(at),
      mtime: { seconds: bytes.readUInt32BE(at + 8), nanoseconds: bytes.readUInt32BE(at + 12) },
      raw: bytes.subarray(at, next),
    });
    at = next;
  }
  return entries;
}

/** An index file of these entries, in any order; each path at most once. */
export function formatIndex(entries: Iterable<Pick<IndexEntry, "path" | "raw">>): Buffer {
  const sorted = [...entries].sort((a, b) => (a.path < b.path ? -1 : 1));
  const header = Buffer.alloc(HEADER);
  header.write("DIRC", "latin1");
  header.writeUInt32BE(2, 4);
  header.writeUInt32BE(sorted.length, 8);
  const body = Buffer.concat([header, ...sorted.map((entry) => entry.raw)]);
  return Buffer.concat([body, createHash("sha1").update(body).digest()]);
}
