import { Buffer } from "node:buffer";
import { hostFailed } from "../host-failed.ts";
import { keyTypeOf } from "../../ssh/wire.ts";

/**
 * The key in a line of OpenSSH's, `ssh-ed25519 AAAA…`, in SSH's wire format.
 *
 * @param host whose it is, for messages
 * @throws SidecanaryError `host-failed` with the fault `bad-response` where it is no such line
 */
export function readHostKeyLine(line: string, host: string): Uint8Array {
  const [type, base64 = ""] = line.trim().split(/\s+/);
  const key = new Uint8Array(Buffer.from(base64, "base64"));
  if (type !== undefined && keyTypeOf(key) === type) return key;
  throw hostFailed(`The API tells a host key of ${host} that is no line like "ssh-ed25519 AAAA…"`, {
    host,
    fault: "bad-response",
    kind: "never",
  });
}
