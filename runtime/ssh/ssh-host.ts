import type { Duplex } from "node:stream";
import type { Host } from "../sidecars/host.ts";

/** A host behind SSH. */
export interface SshHost extends Host {
  /**
   * Opens a stream to `port` of `host` as seen from this host, for a connection through it
   * (ProxyJump).
   *
   * @throws SidecanaryError `host-failed`; `refused` of kind `while-booting` where nothing listens
   * @throws the signal's reason when aborted
   */
  forward(host: string, port: number, signal: AbortSignal): Promise<Duplex>;
}
