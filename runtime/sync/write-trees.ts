import { Buffer } from "node:buffer";
import { createHash } from "node:crypto";
import { deflateSync } from "node:zlib";
import { git, type GitOptions } from "./git.ts";

/**
 * Stores tree objects in one pack. `git write-tree` would make a file of each, which takes longer
 * than all the rest on a slow disk.
 *
 * Pack format: https://git-scm.com/docs/gitformat-pack
 *
 * @param bodies the content of each tree, none twice
 * @throws SidecanaryError `git-failed`
 */
export async function writeTrees(bodies: readonly Buffer[], options: GitOptions): Promise<void> {
  const head = Buffer.alloc(12);
  head.write("PACK", "latin1");
  head.writeUInt32BE(2, 4);
  head.writeUInt32BE(bodies.length, 8);
  const objects = bodies.flatMap((body) => [objectHeader(body.length), deflateSync(body, FAST)]);
  const pack = Buffer.concat([head, ...objects]);
  const trailer = createHash("sha1").update(pack).digest();
  await git(["index-pack", "--stdin"], { ...options, input: Buffer.concat([pack, trailer]) });
}

const TREE = 2;
const FAST = { level: 1 } as const;

/** Type and size: four bits of the size beside the type, then seven a byte. */
function objectHeader(size: number): Buffer {
  const bytes = [(TREE << 4) | (size & 15)];
  for (let rest = Math.floor(size / 16); rest > 0; rest = Math.floor(rest / 128)) {
    bytes[bytes.length - 1]! |= 128;
    bytes.push(rest & 127);
  }
  return Buffer.from(bytes);
}
