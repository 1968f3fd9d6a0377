import ssh2 from "ssh2";
import { hostFailed } from "../host-failed.ts";
import type { SshIdentity } from "../../ssh/ssh-identity.ts";
import { publicKeyLine } from "../../ssh/wire.ts";

/**
 * The public key of what connections authenticate with, as the API takes it: `ssh-ed25519 AAAA…`.
 *
 * @throws SidecanaryError `host-failed` with the fault `no-agent` where the agent does not answer, or
 *   has no key
 */
export async function publicLine(identity: SshIdentity): Promise<string> {
  if (identity.kind === "key") return publicKeyLine(identity.key.getPublicSSH());
  return publicKeyLine(identity.publicKey ?? await firstKey(identity.socket));
}

function firstKey(socket: string): Promise<Uint8Array> {
  const refused = (why: string, cause?: unknown) =>
    hostFailed(
      `The SSH agent ${socket} ${why}: add a key with ssh-add, or give --identity-file`,
      { host: socket, fault: "no-agent", kind: "never" },
      cause,
    );
  return new Promise((resolve, reject) => {
    ssh2.createAgent(socket).getIdentities((error, keys) => {
      if (error) return reject(refused("does not answer", error));
      const [key] = keys ?? [];
      if (key === undefined) return reject(refused("holds no key"));
      const parsed = ssh2.utils.parseKey(key as Parameters<typeof ssh2.utils.parseKey>[0]);
      if (parsed instanceof Error) {
        return reject(refused("holds a key that cannot be read", parsed));
      }
      resolve(parsed.getPublicSSH());
    });
  });
}
