import { Buffer } from "node:buffer";
import { keyTypeOf, readWireString } from "./wire.ts";

/** What the text of a key file holds, as far as can be told without a passphrase. */
export type KeyFile =
  | {
    readonly kind: "private";
    /** `pem` is PKCS#1 and SEC1, `putty` is PuTTY's own format. */
    readonly format: "openssh" | "pem" | "pkcs8" | "putty";
    readonly encrypted: boolean;
    /** In SSH's wire format; OpenSSH's format alone has it in clear. */
    readonly publicKey?: Uint8Array;
  }
  | { readonly kind: "public"; readonly publicKey: Uint8Array }
  | { readonly kind: "unknown" };

const MAGIC = "openssh-key-v1\0";

/** Tells what kind of key a file holds. */
export function inspectKeyFile(text: string): KeyFile {
  const label = /^-----BEGIN ([A-Z ]+)-----\r?$/m.exec(text)?.[1];
  switch (label) {
    case "OPENSSH PRIVATE KEY":
      return inspectOpenSsh(text);
    case "PRIVATE KEY":
      return { kind: "private", format: "pkcs8", encrypted: false };
    case "ENCRYPTED PRIVATE KEY":
      return { kind: "private", format: "pkcs8", encrypted: true };
    case "RSA PRIVATE KEY":
    case "EC PRIVATE KEY":
    case "DSA PRIVATE KEY":
      return { kind: "private", format: "pem", encrypted: /^Proc-Type:.*ENCRYPTED/m.test(text) };
    case undefined:
      break;
    default:
      return { kind: "unknown" };
  }
  if (/^PuTTY-User-Key-File-/.test(text)) {
    return { kind: "private", format: "putty", encrypted: !/^Encryption: none\s*$/m.test(text) };
  }
  return inspectPublic(text);
}

function inspectOpenSsh(text: string): KeyFile {
  const body = /KEY-----([^-]*)-----END/.exec(text)?.[1];
  const bytes = Buffer.from(body ?? "", "base64");
  if (bytes.subarray(0, MAGIC.length).toString("latin1") !== MAGIC) return { kind: "unknown" };
  // PROTOCOL.key: cipher, kdf, kdf options, the number of keys, then the public keys.
  const cipher = readWireString(bytes, MAGIC.length);
  const kdf = cipher && readWireString(bytes, cipher.end);
  const options = kdf && readWireString(bytes, kdf.end);
  const key = options && readWireString(bytes, options.end + 4);
  if (!cipher || !key) return { kind: "unknown" };
  return {
    kind: "private",
    format: "openssh",
    encrypted: cipher.content.toString("latin1") !== "none",
    publicKey: key.content,
  };
}

function inspectPublic(text: string): KeyFile {
  for (const line of text.split("\n")) {
    const [type = "", base64 = ""] = line.trim().split(/\s+/);
    const key = Buffer.from(base64, "base64");
    if (key.length > 0 && keyTypeOf(key) === type) return { kind: "public", publicKey: key };
  }
  return { kind: "unknown" };
}
