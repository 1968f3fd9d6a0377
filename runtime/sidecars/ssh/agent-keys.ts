import { Buffer } from "node:buffer";
import ssh2 from "ssh2";

/**
 * The public keys that an agent holds, in SSH's wire format.
 *
 * @throws Error where the agent does not answer
 */
export function agentKeys(socket: string): Promise<Uint8Array[]> {
  return new Promise((resolve, reject) => {
    ssh2.createAgent(socket).getIdentities((error, keys) => {
      if (error) return reject(error);
      resolve((keys ?? []).flatMap((each) => {
        if (Buffer.isBuffer(each)) return [each];
        if (typeof each === "object" && "getPublicSSH" in each) return [each.getPublicSSH()];
        return [];
      }));
    });
  });
}
