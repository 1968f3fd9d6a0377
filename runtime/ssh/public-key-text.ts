import type { ParsedKey } from "ssh2";
import { hostFailed } from "../sidecars/host-failed.ts";
import { OneKeyAgent } from "./one-key-agent.ts";
import type { SshIdentity } from "./ssh-identity.ts";

/**
 * The public half of an identity as a line of `authorized_keys`: type and base64, without a comment.
 *
 * @throws SidecanaryError `host-failed`, `no-agent`, where the agent does not answer or has no such
 *   key
 */
export async function publicKeyText(identity: SshIdentity): Promise<string> {
  const blob = identity.kind === "key"
    ? identity.key.getPublicSSH()
    : identity.publicKey ?? (await firstKey(identity.socket)).getPublicSSH();
  const bytes = Buffer.from(blob);
  const type = bytes.toString("latin1", 4, 4 + bytes.readUInt32BE(0));
  return `${type} ${bytes.toString("base64")}`;
}

async function firstKey(socket: string): Promise<ParsedKey> {
  const failed = (why: string, cause?: unknown) =>
    hostFailed(`The ssh agent ${why}: start it, or name a key file`, {
      host: "ssh-agent",
      fault: "no-agent",
      kind: "never",
    }, cause);
  const keys = await new Promise<readonly ParsedKey[]>((resolve, reject) => {
    new OneKeyAgent(socket, undefined).getIdentities((error, found) => {
      if (error) reject(failed("does not answer", error));
      else resolve((found ?? []).flatMap((each) => "getPublicSSH" in each ? each : []));
    });
  });
  if (keys[0] === undefined) throw failed("holds no key");
  return keys[0];
}
