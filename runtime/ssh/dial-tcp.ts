import { connect, type Socket } from "node:net";
import type { Clock } from "../clock.ts";
import { hostFailed } from "../sidecars/host-failed.ts";
import { attempt } from "./attempt.ts";
import { classifyNetwork } from "./classify-network.ts";

/** Where to connect to, and for how long to try. */
export interface TcpTarget {
  readonly host: string;
  readonly port: number;
  /** In ms. @default 10_000 */
  readonly deadlineMs?: number;
  readonly signal: AbortSignal;
  readonly clock: Clock;
}

/**
 * Opens a TCP connection, by whichever of the host's addresses answers first. Nothing waits for
 * more data to fill a packet: every command would cost 40 ms.
 *
 * An error of the socket before anybody listens is kept by it and does not end the process.
 *
 * @throws SidecanaryError `host-failed`; the signal's reason when aborted
 */
export function dialTcp(
  { host, port, deadlineMs = 10_000, signal, clock }: TcpTarget,
): Promise<Socket> {
  const address = `${host}:${port}`;
  const late = () =>
    hostFailed(`No answer from ${address} within ${deadlineMs} ms`, {
      host: address,
      fault: "dial-timeout",
      kind: "reconnect",
    });
  return attempt({ deadlineMs, clock, signal, late }, ({ resolve, reject }) => {
    const socket = connect({ host, port, noDelay: true, autoSelectFamily: true });
    socket.once("connect", () => resolve(socket));
    socket.on("error", (error) => {
      const found = classifyNetwork(error) ?? { fault: "closed-early", kind: "reconnect" };
      const why = found.detail ?? error.message;
      const message = `${address} could not be connected to: ${why}`;
      reject(hostFailed(message, { host: address, ...found }, error));
    });
    return () => socket.destroy();
  });
}
