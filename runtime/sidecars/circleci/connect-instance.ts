import type { Clock } from "../../clock.ts";
import { isSidecanaryError } from "../../errors.ts";
import type { Random } from "../../random.ts";
import { connectSsh } from "../../ssh/connect-ssh.ts";
import { dialTunnel } from "../../ssh/dial-tunnel.ts";
import type { HostKeyPolicy } from "../../ssh/host-key-policy.ts";
import { type HostKeyPins, pinnedHostKey } from "../../ssh/pinned-host-keys.ts";
import type { SshIdentity } from "../../ssh/ssh-identity.ts";
import { tunnelUrl } from "../../ssh/tunnel-url.ts";
import type { Host } from "../host.ts";
import { hostFailed } from "../host-failed.ts";
import type { HostRef } from "../host-provider.ts";
import { addKey } from "./add-key.ts";
import { parseAddress } from "./address.ts";
import { readHostKeyLine } from "./host-key-line.ts";
import { publicLine } from "./public-line.ts";
import type { SidecarApi } from "./sidecar-api.ts";

/** What is needed to connect to a sidecar. */
export interface ConnectInstanceOptions {
  readonly api: SidecarApi;
  readonly identity: SshIdentity;
  readonly pins: HostKeyPins;
  readonly clock: Clock;
  readonly random: Random;
  /** Whether this process has just made the sidecar: see `addKey`. */
  readonly fresh: boolean;
}

/** CircleCI's machines have one user, and our own hosts take this name for it. */
const USER = "user";

/**
 * Lets our key into a sidecar, dials its tunnel and logs in.
 *
 * Its host key is the one that the API told, else the one that was pinned. Where neither is known, the
 * first key is pinned for a sidecar that this run made, and any other sidecar is refused.
 *
 * @throws SidecanaryError `host-failed`; the signal's reason when aborted
 */
export async function connectInstance(
  options: ConnectInstanceOptions,
  ref: HostRef,
  signal: AbortSignal,
): Promise<Host> {
  const { identity, clock } = options;
  const { id, name } = ref;
  const publicKey = await publicLine(identity);
  const added = await addKey({ ...options, id, publicKey, signal });
  const url = urlOf(added.url, name);
  const hostKey = await policyOf(options, ref, added.hostKey);
  const stream = await dialTunnel({ url, clock, signal });
  return await connectSsh({ stream, name, username: USER, identity, hostKey, clock, signal });
}

function urlOf(text: string, host: string): URL {
  try {
    return tunnelUrl(text);
  } catch (error) {
    if (!isSidecanaryError(error, "usage")) throw error;
    throw hostFailed(`The API tells an address of ${host} that is none: ${error.message}`, {
      host,
      fault: "bad-response",
      kind: "never",
    }, error);
  }
}

async function policyOf(
  { pins }: ConnectInstanceOptions,
  { id, name, address }: HostRef,
  added: string | undefined,
): Promise<HostKeyPolicy> {
  const { ours, hostKey } = parseAddress(address);
  const line = hostKey ?? added;
  if (line !== undefined) return pinnedHostKey({ id, pins, given: readHostKeyLine(line, name) });
  if (ours || await pins.get(id) !== undefined) return pinnedHostKey({ id, pins });
  throw hostFailed(
    `The host key of ${name} (${id}) is not known: this machine did not make it and has never been ` +
      "connected to it. Make a sidecar of your own, or connect from where it was made",
    { host: name, fault: "host-key-unknown", kind: "never" },
  );
}
