import { Buffer } from "node:buffer";
import { createHash } from "node:crypto";

/** A string in SSH's wire format (RFC 4251 §5): four bytes of length, then the bytes. */
export function wireString(bytes: Uint8Array | string): Buffer {
  const content = Buffer.from(bytes as Uint8Array);
  const length = Buffer.alloc(4);
  length.writeUInt32BE(content.length);
  return Buffer.concat([length, content]);
}

/** Reads the string at `offset`; `undefined` where the bytes do not hold a whole one. */
export function readWireString(
  bytes: Uint8Array,
  offset: number,
): { readonly content: Buffer; readonly end: number } | undefined {
  const view = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  if (offset + 4 > view.length) return undefined;
  const start = offset + 4, end = start + view.readUInt32BE(offset);
  return end > view.length ? undefined : { content: view.subarray(start, end), end };
}

/** The type that a public key in wire format names: `ssh-ed25519`; `undefined` for other bytes. */
export function keyTypeOf(key: Uint8Array): string | undefined {
  const name = readWireString(key, 0)?.content.toString("latin1");
  return name !== undefined && /^[\w@.+-]+$/.test(name) ? name : undefined;
}

/** The fingerprint of a public key in wire format, as `ssh-keygen -l` prints it: `SHA256:…`. */
export function fingerprint(key: Uint8Array): string {
  return `SHA256:${createHash("sha256").update(key).digest("base64").replace(/=+$/, "")}`;
}

/** A public key in wire format as a line has it: `ssh-ed25519 AAAA…`. */
export function publicKeyLine(key: Uint8Array): string {
  return `${keyTypeOf(key) ?? "unknown"} ${Buffer.from(key).toString("base64")}`;
}
