import { lstatSync, lutimesSync } from "node:fs";
import { readdir, realpath } from "node:fs/promises";
import { availableParallelism } from "node:os";
import { setImmediate } from "node:timers/promises";
import { git } from "./git.ts";
import type { IndexEntry } from "./index-file.ts";
import { isReachable, livePath } from "./live-path.ts";
import type { Payload } from "./payload.ts";
import { readEntries } from "./read-entries.ts";

/** How a payload is written. */
export interface CheckoutOptions {
  /** @default undefined */
  readonly signal?: AbortSignal | undefined;
}

/** So many files are dated before others get a turn. */
const TURN = 1000;

/**
 * Writes the payload's tree below `dir`: bytes, executable bits and symbolic links as they were
 * captured. Each file gets the modification time that it was captured with, rounded down to the
 * microsecond (Node) or millisecond (Deno), so that a build tool finds its ignored output up to
 * date. Deno cannot name files that are not UTF-8: these get the time of now.
 *
 * @param dir an empty folder
 * @throws RangeError when the folder is not empty
 * @throws SidecanaryError `git-failed`
 */
export async function checkoutPayload(
  payload: Payload,
  dir: string,
  options: CheckoutOptions = {},
): Promise<void> {
  const { signal } = options;
  if ((await readdir(dir)).length > 0) throw new RangeError(`the folder "${dir}" is not empty`);
  const root = await realpath(dir);
  const workers = Math.min(availableParallelism(), 4);
  await git([
    "-c",
    `checkout.workers=${workers}`,
    "-c",
    "checkout.thresholdForParallelism=2000",
    "checkout-index",
    "--all",
  ], {
    cwd: root,
    gitDir: payload.gitDir,
    workTree: root,
    indexFile: payload.indexFile,
    signal,
  });
  const entries = await readEntries(payload);
  for (let at = 0; at < entries.length; at += TURN) {
    for (const entry of entries.slice(at, at + TURN)) date(root, entry);
    await setImmediate();
    signal?.throwIfAborted();
  }
}

function date(root: string, { path, mtime }: IndexEntry): void {
  if (!isReachable(path)) return;
  const file = livePath(root, path);
  const micros = Math.floor(mtime.nanoseconds / 1000);
  // Half a microsecond above the wanted one: a double is not exact, and most runtimes cut it off.
  const above = mtime.seconds + (micros + 0.5) / 1e6;
  lutimesSync(file, above, above);
  const written = lstatSync(file, { bigint: true }).mtimeNs;
  if (written <= BigInt(mtime.seconds) * 1_000_000_000n + BigInt(mtime.nanoseconds)) return;
  // This runtime keeps nanoseconds. Later than the original would be newer than what it was built to.
  const below = mtime.seconds + Math.max(0, micros - 0.25) / 1e6;
  lutimesSync(file, below, below);
}
