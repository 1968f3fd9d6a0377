import { Buffer } from "node:buffer";
import { createPrivateKey, type KeyObject } from "node:crypto";
import { readFile, stat } from "node:fs/promises";
import process from "node:process";
import ssh2, { type ParsedKey } from "ssh2";
import { hostFailed } from "../sidecars/host-failed.ts";
import { inspectKeyFile, type KeyFile } from "./key-file.ts";
import { formatOpenSshKey } from "./openssh-key.ts";
import { padEcdsaKey } from "./pad-ecdsa-key.ts";
import { keyTypeOf } from "./wire.ts";

/** Answers the passphrase of a key file, or `undefined` where there is none to give. */
export type AskPassphrase = (path: string) => Promise<string | undefined> | string | undefined;

/** How a private key is read. */
export interface ReadKeyOptions {
  /** Asked once, and only where the key is encrypted. @default there is none to give */
  readonly passphrase?: AskPassphrase;
  /** Told, in a sentence, that others may read the file. @default nobody is told */
  readonly onWarning?: (message: string) => void;
  /**
   * What the key is for, in the details of an error.
   * @default the path
   */
  readonly host?: string;
}

/**
 * Reads a private key: OpenSSH's format, PKCS#1, SEC1, PKCS#8, PuTTY's; of types ed25519, ecdsa, rsa.
 *
 * Keep the answer: to decrypt a key of OpenSSH's format takes 0.3 to 0.8 s of pure computation that
 * blocks the event loop (`bcrypt` with 16 rounds; more rounds take longer).
 *
 * @throws SidecanaryError `host-failed` with the fault `bad-key`: no file, not a private key, a
 *   passphrase that is missing or wrong, a type that is not supported
 */
export async function readKey(path: string, options: ReadKeyOptions = {}): Promise<ParsedKey> {
  const fail = (message: string, cause?: unknown) => badKey(options.host ?? path, message, cause);
  let text: string;
  try {
    text = await readFile(path, "latin1");
    const { mode } = await stat(path);
    if ((mode & 0o077) !== 0 && process.platform !== "win32") {
      options.onWarning?.(
        `Others may read the private key ${path} (mode ${(mode & 0o777).toString(8)}); ` +
          `run: chmod 600 ${path}`,
      );
    }
  } catch (error) {
    throw fail(`Cannot read the private key ${path}: ${(error as Error).message}`, error);
  }
  const file = inspectKeyFile(text);
  refuseUnsupported(path, file, fail);
  let passphrase: string | undefined;
  if (file.kind === "private" && file.encrypted) {
    passphrase = await options.passphrase?.(path);
    if (!passphrase) {
      throw fail(
        `The private key ${path} is encrypted, and there is no passphrase for it. Set ` +
          "SIDECANARY_SSH_PASSPHRASE, or load the key into an agent with ssh-add",
      );
    }
  }
  const key = parse(text, file, passphrase);
  if (!(key instanceof Error)) return key;
  // The parser's error is no cause: it may quote what it read.
  throw fail(
    passphrase === undefined
      ? `The private key ${path} cannot be read: it is damaged, or of a type that is not supported`
      : `The passphrase given for the private key ${path} does not open it`,
  );
}

function refuseUnsupported(
  path: string,
  file: KeyFile,
  fail: (message: string) => Error,
): void {
  const type = file.kind === "unknown" || !file.publicKey ? undefined : keyTypeOf(file.publicKey);
  if (file.kind === "public") {
    const certificate = type?.includes("-cert-") === true;
    throw fail(
      certificate
        ? `${path} is a certificate, and those are not supported. Name a private key whose public ` +
          "key is in the host's authorized_keys"
        : `${path} is a public key. Name the private key: the file without ".pub"`,
    );
  }
  if (file.kind === "unknown") throw fail(`${path} does not hold a private key`);
  if (type?.startsWith("sk-") === true) {
    throw fail(
      `The private key ${path} lives on a security key (${type}), which is not supported. ` +
        "Load it into an agent with ssh-add, or name another key",
    );
  }
}

function parse(text: string, file: KeyFile, passphrase: string | undefined): ParsedKey | Error {
  if (file.kind !== "private") return new Error("not a private key");
  let readable: string | undefined = text;
  if (file.format === "pkcs8") {
    readable = convertPkcs8(text, passphrase);
    if (readable === undefined) return new Error("PKCS#8 that cannot be converted");
  }
  // The types know of one key; a file may hold several, and then it is an array.
  const parsed: ParsedKey | ParsedKey[] | Error = ssh2.utils.parseKey(readable, passphrase);
  const key: ParsedKey | Error | undefined = Array.isArray(parsed)
    ? (parsed as ParsedKey[])[0]
    : parsed;
  if (key === undefined || key instanceof Error) return key ?? new Error("no key");
  if (file.format !== "openssh") return key;
  const padded = padEcdsaKey(key.getPrivatePEM(), key.getPublicSSH());
  return padded === undefined ? key : ssh2.utils.parseKey(padded);
}

/** ssh2 does not read PKCS#8; `undefined` for what has no other form, or another passphrase. */
function convertPkcs8(text: string, passphrase: string | undefined): string | undefined {
  let key: KeyObject;
  try {
    key = createPrivateKey(passphrase === undefined ? text : { key: text, passphrase });
  } catch {
    // What OpenSSL says differs by version and runtime: damaged, or the wrong passphrase.
    return undefined;
  }
  switch (key.asymmetricKeyType) {
    case "rsa":
      return key.export({ type: "pkcs1", format: "pem" }) as string;
    case "ec":
      return key.export({ type: "sec1", format: "pem" }) as string;
    case "ed25519": {
      const { d = "", x = "" } = key.export({ format: "jwk" });
      const half = (base64: string) => Buffer.from(base64, "base64url");
      return formatOpenSshKey({ seed: half(d), publicKey: half(x) }, "");
    }
    default:
      return undefined;
  }
}

function badKey(host: string, message: string, cause?: unknown): Error {
  return hostFailed(message, { host, fault: "bad-key", kind: "never" }, cause);
}
