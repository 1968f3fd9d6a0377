import { readFile, rename, writeFile } from "node:fs/promises";
import { join } from "node:path";
import ssh2 from "ssh2";
import { SidecanaryError } from "../errors.ts";

/** The key by which clients know the host again. */
export interface HostKey {
  /** OpenSSH format. */
  readonly private: string;
  /** `ssh-ed25519 AAAA…` */
  readonly public: string;
}

/**
 * The ed25519 key that is kept in `stateDir/host-key`, for its owner only; made at the first call.
 *
 * @throws SidecanaryError `config-invalid` where the file holds something else
 */
export async function loadHostKey(stateDir: string): Promise<HostKey> {
  const path = join(stateDir, "host-key");
  let text: string;
  try {
    text = await readFile(path, "utf8");
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== "ENOENT") throw error;
    text = makeKey();
    await writeFile(`${path}.new`, text, { mode: 0o600 });
    await rename(`${path}.new`, path);
  }
  const key = ssh2.utils.parseKey(text);
  if (key instanceof Error || !key.isPrivateKey()) {
    throw new SidecanaryError(
      "config-invalid",
      `${path} is no private key in OpenSSH format; remove it, and a new one is made.`,
      { path },
      key instanceof Error ? key : undefined,
    );
  }
  return { private: text, public: `${key.type} ${key.getPublicSSH().toString("base64")}` };
}

/** ssh2 drops a leading zero byte: one key of 256 is malformed. */
function makeKey(): string {
  for (;;) {
    const made = ssh2.utils.generateKeyPairSync("ed25519");
    if (!(ssh2.utils.parseKey(made.private) instanceof Error)) return made.private;
  }
}
