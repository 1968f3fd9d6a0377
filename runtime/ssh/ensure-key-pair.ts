import { Buffer } from "node:buffer";
import { generateKeyPairSync, randomBytes } from "node:crypto";
import { link, mkdir, rm, stat, writeFile } from "node:fs/promises";
import { join } from "node:path";
import type { ParsedKey } from "ssh2";
import { hostFailed } from "../sidecars/host-failed.ts";
import { formatOpenSshKey } from "./openssh-key.ts";
import { readKey } from "./read-key.ts";
import { publicKeyLine } from "./wire.ts";

/** A key pair of ours, for hosts of ours. */
export interface KeyPair {
  readonly key: ParsedKey;
  /** The file with the private key, in OpenSSH's format. */
  readonly path: string;
  /** The public key as an `authorized_keys` file has it, without a comment: `ssh-ed25519 AAAA…`. */
  readonly publicLine: string;
}

/**
 * The ed25519 key pair that is kept in `dir` as `id_ed25519`, for its owner to read only; made where
 * there is none. Processes that make it at the same time agree on one.
 *
 * @throws SidecanaryError `host-failed` with the fault `bad-key` where it cannot be made or read
 */
export async function ensureKeyPair(dir: string): Promise<KeyPair> {
  const path = join(dir, "id_ed25519");
  try {
    await mkdir(dir, { recursive: true, mode: 0o700 });
    await makeOnce(path);
  } catch (error) {
    throw hostFailed(
      `Cannot make the key pair ${path}: ${(error as Error).message}`,
      { host: path, fault: "bad-key", kind: "never" },
      error,
    );
  }
  const key = await readKey(path);
  return { key, path, publicLine: publicKeyLine(key.getPublicSSH()) };
}

/** A link to a file that is complete: whoever comes second finds the first one's, never half of it. */
async function makeOnce(path: string): Promise<void> {
  const draft = `${path}.${randomBytes(6).toString("hex")}`;
  if (await exists(path)) return;
  try {
    await writeFile(draft, newKey(), { flag: "wx", mode: 0o600 });
    await link(draft, path).catch((error: NodeJS.ErrnoException) => {
      if (error.code !== "EEXIST") throw error;
    });
  } finally {
    await rm(draft, { force: true });
  }
}

async function exists(path: string): Promise<boolean> {
  return await stat(path).then(() => true, (error: NodeJS.ErrnoException) => {
    if (error.code === "ENOENT") return false;
    throw error;
  });
}

function newKey(): string {
  const { d = "", x = "" } = generateKeyPairSync("ed25519").privateKey.export({ format: "jwk" });
  const half = (base64: string) => Buffer.from(base64, "base64url");
  return formatOpenSshKey({ seed: half(d), publicKey: half(x) }, "sidecanary");
}
