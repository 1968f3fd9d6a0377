import { Buffer } from "node:buffer";
import { setImmediate } from "node:timers";
import type { HostVerifier } from "ssh2";
import { hostFailed } from "../sidecars/host-failed.ts";
import type { HostKeyPolicy, HostKeyVerdict } from "./host-key-policy.ts";

/**
 * The policy as ssh2 asks it. The host shows its key at every new key exchange; that it is the same
 * as at the first one is all that is looked at then.
 *
 * @param reject learns why a key was turned down, before ssh2 reports it as a failed handshake
 */
export function verifyHostKey(
  name: string,
  policy: HostKeyPolicy,
  reject: (error: unknown) => void,
): HostVerifier {
  let trusted: Buffer | undefined;
  const decide = (key: Buffer, verdict: HostKeyVerdict): boolean => {
    if (verdict.ok) {
      trusted = key;
      return true;
    }
    const details = { host: name, fault: verdict.fault, kind: "never" } as const;
    reject(hostFailed(verdict.message, details));
    return false;
  };
  const verify = async (key: Buffer): Promise<boolean> => {
    try {
      return decide(key, await policy.verify(key));
    } catch (error) {
      reject(error);
      return false;
    }
  };
  return (key: Buffer, answer: (ok: boolean) => void): void => {
    // ssh2 reuses the memory of a packet.
    const copy = Buffer.from(key);
    if (trusted !== undefined) return answer(trusted.equals(copy));
    void verify(copy).then((ok) => {
      // The attempt has ended with a refusal, and the stream below with it. Not within a microtask:
      // Deno runs them in the midst of ssh2's arithmetic, which then waits for this answer for ever.
      if (ok) setImmediate(() => answer(true));
    });
  };
}
