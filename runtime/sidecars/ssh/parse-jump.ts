import { hostFailed } from "../host-failed.ts";
import { parseSshTarget, type SshAddress } from "./ssh-address.ts";

/**
 * Reads one host of a ProxyJump: `[user@]host[:port]`, or an `ssh://` address.
 *
 * @param host the host that the jump is for
 * @throws SidecanaryError `host-failed` with the fault `config`
 */
export function parseJump(text: string, host: string): SshAddress {
  try {
    // A user may hold an "@" of its own, so the last one counts.
    const at = text.lastIndexOf("@");
    const user = at < 0 ? "" : `${encodeURIComponent(text.slice(0, at))}@`;
    const address = parseSshTarget(
      /^ssh:\/\//i.test(text) ? text : `ssh://${user}${text.slice(at + 1)}`,
    );
    if (address.lanes === undefined && address.identity === undefined) return address;
    throw new RangeError("it has parameters, which ssh does not know");
  } catch (error) {
    if (!(error instanceof RangeError)) throw error;
    throw hostFailed(
      `The ProxyJump to ${host} is malformed: ${error.message}`,
      { host, fault: "config", kind: "never" },
      error,
    );
  }
}
