import { Buffer } from "node:buffer";
import { createHash } from "node:crypto";
import { deflateSync } from "node:zlib";
import type { Change, FileChange } from "../provider.ts";
import { parentOf } from "../../sync/byte-path.ts";
import { blobId } from "../../sync/changed-blobs.ts";
import type { ChangedFile, TreeHash } from "../../sync/tree-hash.ts";

/** A change as it is sent to a host: git objects, one of which is the script that applies it. */
export interface ChangeScript {
  /** A git pack: https://git-scm.com/docs/pack-format */
  readonly pack: Buffer;
  /** The script's blob. */
  readonly script: string;
  /** The script itself, where it is short and plain enough for a command line. */
  readonly text: string;
  /** The hash of the tree that is reached, and proved by the script. */
  readonly tree: string;
}

type Written = Extract<FileChange, { readonly bytes: Uint8Array }>;

/**
 * The script runs in the tree, with `g` as git, `index` and `verify` as names of index files (see
 * `lane-script.ts`). It deletes, has git write the new files, gives these a time, and has git hash
 * what is on the disk afterwards.
 *
 * @param seconds the new files' time of modification, since the epoch
 */
export function changeScript(change: Change, payload: TreeHash, seconds: number): ChangeScript {
  const written = change.files.filter((file): file is Written => file.mode !== "deleted");
  const blobs = new Map(written.map((file) => [blobId(file.bytes), file.bytes]));
  const changed = change.files.map((file): ChangedFile =>
    file.mode === "deleted"
      ? { path: file.path, oid: null, mode: 0o100644 }
      : { path: file.path, oid: blobId(file.bytes), mode: Number.parseInt(file.mode, 8) }
  );
  const tree = payload.with(changed);
  const deleted = change.files.filter((file) => file.mode === "deleted");
  const touched = written.filter((file) => file.mode !== "120000").map((file) => file.path);
  const infos = written.map((file) => `${file.mode} ${blobId(file.bytes)} 0\t${cQuote(file.path)}`);
  const lines = [
    ...deleted.map(({ path }) => removal(path)),
    `g update-index --index-info <<'END' || return 1`,
    ...infos,
    "END",
    `g checkout-index -f -a || return 1`,
    ...(touched.length === 0 ? [] : [
      ...batches(touched).map((paths) =>
        `TZ=UTC0 touch -t ${stamp(seconds)} -- ${paths.map(shQuote).join(" ")} || return 1`
      ),
    ]),
    `cp "$T/base.index" "$verify" || return 1`,
    `index=$verify`,
    ...(deleted.length === 0 ? [] : [
      `g update-index --force-remove --stdin <<'END' || return 1`,
      ...deleted.map(({ path }) => cQuote(path)),
      "END",
      ...deleted.map(({ path }) => absence(path)),
    ]),
    `g update-index --add --remove --replace --stdin <<'END' || return 1`,
    ...written.map(({ path }) => cQuote(path)),
    "END",
    `reached=$(g write-tree) || return 1`,
    `[ "$reached" = ${tree} ] || { echo "the tree is $reached and not ${tree}" >&2; return 1; }`,
    "",
  ];
  const script = Buffer.from(lines.join("\n"), "latin1");
  const id = blobId(script);
  const isPlain = script.length < LONGEST_INLINE && script.every((byte) => byte < 0x80);
  if (!isPlain) blobs.set(id, script);
  const text = isPlain ? script.toString("latin1") : "";
  return { pack: packBlobs([...blobs.values()]), script: id, text, tree };
}

const LONGEST_INLINE = 16_000;

/** A file is deleted through no link, and takes the folders along that it leaves empty. */
function removal(path: string): string {
  const parent = parentOf(path);
  const prune = parent === "" ? "" : ` && { rmdir -p -- ${shQuote(parent)} 2>/dev/null || :; }`;
  const remove = `{ rm -f -- ${shQuote(path)}${prune}; } || return 1`;
  return [...linkedParents(path), remove].join(" || ");
}

/** A folder may stand where a file was; what lies beyond a link is not the tree's. */
function absence(path: string): string {
  const name = shQuote(path);
  const absent = `{ [ ! -e ${name} ] || [ -d ${name} ]; } && [ ! -L ${name} ]`;
  return [...linkedParents(path), `{ ${absent}; } || return 1`].join(" || ");
}

function linkedParents(path: string): string[] {
  const guards: string[] = [];
  for (let at = parentOf(path); at !== ""; at = parentOf(at)) guards.push(`[ -L ${shQuote(at)} ]`);
  return guards;
}

/** Few enough names for one command line. */
function batches(paths: readonly string[]): string[][] {
  const all: string[][] = [];
  let room = 0;
  for (const path of paths) {
    if (room < path.length) {
      all.push([]);
      room = 60_000;
    }
    all.at(-1)?.push(path);
    room -= path.length + 16;
  }
  return all;
}

/** As `touch -t` takes it: `CCYYMMDDhhmm.SS`. */
export function stamp(seconds: number): string {
  const digits = new Date(seconds * 1000).toISOString().replace(/[-:T]/g, "");
  return `${digits.slice(0, 12)}.${digits.slice(12, 14)}`;
}

/** A name in git's quotes: https://git-scm.com/docs/git-config#Documentation/git-config.txt-corequotePath */
function cQuote(path: string): string {
  const quoted = path.replace(
    /[^\x20-\x7e]|["\\]/g,
    (byte) => `\\${byte.charCodeAt(0).toString(8).padStart(3, "0")}`,
  );
  return `"${quoted}"`;
}

function shQuote(bytes: string): string {
  return `'./${bytes.replaceAll("'", "'\\''")}'`;
}

const BLOB = 3;

function packBlobs(blobs: readonly Uint8Array[]): Buffer {
  const header = Buffer.alloc(12);
  header.write("PACK", "latin1");
  header.writeUInt32BE(2, 4);
  header.writeUInt32BE(blobs.length, 8);
  const parts: Uint8Array[] = [header];
  for (const blob of blobs) {
    parts.push(objectHeader(BLOB, blob.length), deflateSync(blob, { level: 1 }));
  }
  const body = Buffer.concat(parts);
  return Buffer.concat([body, createHash("sha1").update(body).digest()]);
}

/** The kind and four bits of the size, then seven bits a byte, the lowest first. */
function objectHeader(kind: number, size: number): Buffer {
  const bytes: number[] = [];
  let byte = (kind << 4) | (size & 15);
  let rest = Math.floor(size / 16);
  while (rest > 0) {
    bytes.push(byte | 0x80);
    byte = rest & 0x7f;
    rest = Math.floor(rest / 128);
  }
  bytes.push(byte);
  return Buffer.from(bytes);
}
