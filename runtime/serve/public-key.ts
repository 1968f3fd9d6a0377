import ssh2 from "ssh2";
import { HttpProblem } from "./http-problem.ts";
import type { AuthorisedKey } from "./instance.ts";

/**
 * Reads one public key in OpenSSH format.
 *
 * @throws HttpProblem 400; it never repeats what was sent
 */
export function parsePublicKey(text: string): AuthorisedKey {
  const line = text.trim();
  const key = /[\r\n]/.test(line) ? undefined : ssh2.utils.parseKey(line);
  if (key === undefined || key instanceof Error) {
    throw new HttpProblem(400, "public_key: one line of an OpenSSH public key is needed.");
  }
  if (key.isPrivateKey()) {
    throw new HttpProblem(
      400,
      "public_key: this is a private key. Make a new one, it is known now.",
    );
  }
  return { type: key.type, blob: key.getPublicSSH() };
}
