import { Buffer } from "node:buffer";
import { git } from "./git.ts";
import type { Payload } from "./payload.ts";

/**
 * Reads blobs of a payload's repository, all of them into memory.
 *
 * @throws RangeError when one is not there
 * @throws SidecanaryError `git-failed`
 */
export async function readBlobs(
  payload: Pick<Payload, "gitDir">,
  oids: Iterable<string>,
  options: { readonly signal?: AbortSignal | undefined } = {},
): Promise<Map<string, Buffer>> {
  const blobs = new Map<string, Buffer>();
  const asked = new Set(oids);
  if (asked.size === 0) return blobs;
  const { gitDir } = payload;
  const output = await git(["cat-file", "--batch"], {
    cwd: gitDir,
    gitDir,
    input: Buffer.from([...asked].map((oid) => `${oid}\n`).join("")),
    signal: options.signal,
  });
  let at = 0;
  for (const oid of asked) {
    const end = output.indexOf(10, at);
    const [found, type, size] = output.toString("latin1", at, end).split(" ");
    if (found !== oid || type !== "blob") throw new RangeError(`no blob ${oid} in ${gitDir}`);
    const start = end + 1;
    at = start + Number(size);
    blobs.set(oid, output.subarray(start, at));
    at += 1;
  }
  return blobs;
}
