import { Buffer } from "node:buffer";
import { randomBytes } from "node:crypto";
import { wireString } from "./wire.ts";

/** The two halves of an ed25519 key, 32 bytes each. */
export interface Ed25519Key {
  /** The private half. */
  readonly seed: Uint8Array;
  readonly publicKey: Uint8Array;
}

/** The public half in SSH's wire format (RFC 8709 §4). */
export function ed25519PublicKey({ publicKey }: Ed25519Key): Buffer {
  return Buffer.concat([wireString("ssh-ed25519"), wireString(publicKey)]);
}

/**
 * An unencrypted private key file of OpenSSH, as `PROTOCOL.key` of its sources describes it. node
 * writes PKCS#8 only, which neither ssh2 nor older `ssh` programs read for this type.
 */
export function formatOpenSshKey(key: Ed25519Key, comment: string): string {
  const publicKey = ed25519PublicKey(key);
  const check = randomBytes(4);
  const secret = Buffer.concat([
    check,
    check,
    publicKey,
    wireString(Buffer.concat([key.seed, key.publicKey])),
    wireString(comment),
  ]);
  const padding = Buffer.from([1, 2, 3, 4, 5, 6, 7].slice(0, (8 - secret.length % 8) % 8));
  const one = Buffer.from([0, 0, 0, 1]);
  const body = Buffer.concat([
    Buffer.from("openssh-key-v1\0"),
    wireString("none"),
    wireString("none"),
    wireString(""),
    one,
    wireString(publicKey),
    wireString(Buffer.concat([secret, padding])),
  ]).toString("base64").replace(/.{70}(?=.)/g, "$&\n");
  return `-----BEGIN OPENSSH PRIVATE KEY-----\n${body}\n-----END OPENSSH PRIVATE KEY-----\n`;
}
