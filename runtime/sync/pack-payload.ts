import { Buffer } from "node:buffer";
import { createHash } from "node:crypto";
import { createReadStream } from "node:fs";
import { mkdir, mkdtemp, open, readFile, rename, rm, stat, writeFile } from "node:fs/promises";
import { dirname, join } from "node:path";
import { git } from "./git.ts";
import { openPackStore, type PackStore, PAYLOAD_REFS } from "./pack-store.ts";
import type { Payload } from "./payload.ts";

/** A file of git objects, to be sent to many hosts. Plain data. */
export interface PayloadPack {
  /** The name that git gives to a file of this content: 40 hexadecimal digits. */
  readonly id: string;
  readonly file: string;
  readonly bytes: number;
  /** The tree that the pack brings. */
  readonly tree: string;
  /** A commit of `tree` without parents, author or date of anybody's: the same one everywhere. */
  readonly commit: string;
  /** Trees that the other side must have; none for a full pack. */
  readonly against: readonly string[];
}

/** What to pack, and where. */
export interface PackOptions {
  readonly payload: Pick<Payload, "gitDir" | "tree">;
  /** A folder of our own that outlives the payload: packs and what was sent before stand in it. */
  readonly store: string;
  /**
   * Trees that the other side has. Those that the store does not know are passed over; where none
   * is left, the pack is full.
   * @default []
   */
  readonly against?: readonly string[];
  /**
   * A store with more bytes of packs than this is emptied first.
   * @default 1 GiB
   */
  readonly maxStoreBytes?: number;
  /** @default undefined */
  readonly signal?: AbortSignal | undefined;
}

/**
 * Full packs: level 1 takes 0.9 s for 46 MB and saves a third of the bytes; level 6 takes half as
 * long again for 3 % less, and looking for deltas among files of one tree takes three times as long
 * and finds next to none. Level 0 (0.2 s) would pay on links above 60 MB/s only.
 */
const FULL = ["--compression=1", "--no-reuse-object", "--window=0", "--threads=0"];

/**
 * What changed is small: deltas against what the other side has are worth looking for. Without
 * `--shallow` git looks for it among the parents of what is packed only, and there are none.
 */
const THIN = [
  "--thin",
  "--shallow",
  "--compression=1",
  "--no-reuse-object",
  "--window=10",
  "--threads=0",
];

/**
 * Packs a payload into one file: its files, folders and one commit, nothing of the user's history.
 * Asked again, also by another process, it answers the same file.
 *
 * @throws SidecanaryError `git-failed`
 */
export async function packPayload(options: PackOptions): Promise<PayloadPack> {
  const { payload, maxStoreBytes = 2 ** 30, signal } = options;
  const { tree } = payload;
  const store = await openPackStore(options.store, maxStoreBytes, signal);
  const against = [...new Set(options.against)].filter((each) => store.trees.has(each)).sort();
  const commit = await commitTree(store, payload);
  const file = against.length === 0
    ? await packFull(store, payload, commit)
    : await packThin(store, payload, commit, against);
  const { size } = await stat(file);
  return { id: await fileId(file, size), file, bytes: size, tree, commit, against };
}

const NOBODY = {
  GIT_AUTHOR_NAME: "sidecanary",
  GIT_AUTHOR_EMAIL: "sidecanary",
  GIT_AUTHOR_DATE: "1000000000 +0000",
  GIT_COMMITTER_NAME: "sidecanary",
  GIT_COMMITTER_EMAIL: "sidecanary",
  GIT_COMMITTER_DATE: "1000000000 +0000",
};

async function commitTree(store: PackStore, payload: PackOptions["payload"]): Promise<string> {
  const options = store.options(payload.gitDir);
  const env = { ...options.env, ...NOBODY };
  const input = new Uint8Array();
  return line(await git(["commit-tree", payload.tree], { ...options, env, input }));
}

async function packFull(
  store: PackStore,
  payload: PackOptions["payload"],
  commit: string,
): Promise<string> {
  const folder = join(store.gitDir, "objects", "pack");
  const record = join(store.gitDir, "full", payload.tree);
  const known = await readText(record);
  if (known !== undefined) {
    const file = join(folder, `pack-${known}.pack`);
    if (await isThere(file)) return file;
  }
  const args = ["pack-objects", "--quiet", "--revs", ...FULL, join(folder, "pack")];
  const options = { ...store.options(payload.gitDir), input: Buffer.from(`${commit}\n`) };
  const name = line(await git(args, options));
  await remember(store, payload.tree, commit);
  await mkdir(join(store.gitDir, "full"), { recursive: true });
  await inPlace(record, (made) => writeFile(made, name));
  return join(folder, `pack-${name}.pack`);
}

async function packThin(
  store: PackStore,
  payload: PackOptions["payload"],
  commit: string,
  against: readonly string[],
): Promise<string> {
  const { tree } = payload;
  const folder = join(store.gitDir, "thin");
  const key = createHash("sha1").update(against.join(" ")).digest("hex");
  const file = join(folder, `${tree}-${key}.pack`);
  if (await isThere(file)) return file;
  await mkdir(folder, { recursive: true });
  const revisions = [commit, ...against.map((each) => `^${PAYLOAD_REFS}/${each}`)];
  await inPlace(file, async (made) => {
    const output = await open(made, "wx+");
    try {
      const input = Buffer.from(revisions.map((each) => `${each}\n`).join(""));
      const args = ["pack-objects", "--quiet", "--stdout", "--revs", ...THIN];
      await git(args, { ...store.options(payload.gitDir), input, output: output.fd });
    } finally {
      await output.close();
    }
    const input = await open(made, "r");
    try {
      // Without the payload's objects: the store must hold the bases itself.
      const args = ["index-pack", "--stdin", "--fix-thin"];
      await git(args, { ...store.options(), input: input.fd });
    } finally {
      await input.close();
    }
    await remember(store, tree, commit);
  });
  return file;
}

/** Has a file written beside its place and moves it there, whoever else does so. */
async function inPlace(file: string, write: (made: string) => Promise<void>): Promise<void> {
  const folder = await mkdtemp(join(dirname(file), "make-"));
  try {
    await write(join(folder, "file"));
    await rename(join(folder, "file"), file);
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
}

/** Last of all: what a ref names is complete. */
async function remember(store: PackStore, tree: string, commit: string): Promise<void> {
  await git(["update-ref", `${PAYLOAD_REFS}/${tree}`, commit], store.options());
}

async function fileId(file: string, size: number): Promise<string> {
  const hash = createHash("sha1").update(`blob ${size}\0`);
  for await (const chunk of createReadStream(file)) hash.update(chunk as Uint8Array);
  return hash.digest("hex");
}

async function readText(file: string): Promise<string | undefined> {
  try {
    return await readFile(file, "utf8");
  } catch (cause) {
    if ((cause as NodeJS.ErrnoException).code === "ENOENT") return undefined;
    throw cause;
  }
}

async function isThere(file: string): Promise<boolean> {
  try {
    return (await stat(file)).isFile();
  } catch (cause) {
    if ((cause as NodeJS.ErrnoException).code === "ENOENT") return false;
    throw cause;
  }
}

function line(output: Buffer): string {
  return output.toString("latin1").trim();
}
