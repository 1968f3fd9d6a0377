import { connect as connectTcp, isIP, type NetConnectOpts, type Socket } from "node:net";
import type { Duplex } from "node:stream";
import { setImmediate } from "node:timers";
import { connect as connectTls, type ConnectionOptions } from "node:tls";
import { createWebSocketStream, WebSocket } from "ws";
import type { Clock } from "../clock.ts";
import { hostFailed } from "../sidecars/host-failed.ts";
import { attempt } from "./attempt.ts";
import {
  classifyClose,
  classifyStatus,
  classifyTunnel,
  type TunnelPhase,
} from "./classify-tunnel.ts";
import type { FaultClass } from "./fault-class.ts";
import { retryAfterMs } from "./retry-after.ts";
import { withoutSecrets } from "./tunnel-url.ts";

/** Where the WebSocket is, and for how long to try. */
export interface TunnelTarget {
  /** `ws:` or `wss:`; see `tunnelUrl`. */
  readonly url: string | URL;
  /** @default {} */
  readonly headers?: Readonly<Record<string, string>>;
  /** Certificates to trust in place of the system's, as PEM. @default the system's */
  readonly ca?: string | Uint8Array;
  /** Whether any certificate will do. @default false */
  readonly insecure?: boolean;
  /** Over address, TLS and upgrade, in ms. @default 15_000 */
  readonly deadlineMs?: number;
  readonly signal: AbortSignal;
  readonly clock: Clock;
}

/** An SSH packet has 35,000 bytes; whoever puts more than this into a message speaks no SSH. */
const LARGEST_MESSAGE = 16 * 1024 * 1024;

/** How long a goodbye may take; ws waits for 30 seconds. */
const CLOSE_MS = 2_000;

/**
 * Opens a WebSocket and answers its binary messages as one stream of bytes. A close of the WebSocket
 * destroys the stream, with a `host-failed` error that holds the close code.
 *
 * Meant for SSH alone: compression is off, as ciphertext does not compress, and the mask is zero, as
 * nobody chooses what ciphertext looks like.
 *
 * @throws SidecanaryError `host-failed`; the signal's reason when aborted
 */
export function dialTunnel(target: TunnelTarget): Promise<Duplex> {
  const { url, headers = {}, ca, insecure = false, deadlineMs = 15_000, signal, clock } = target;
  const address = withoutSecrets(url);
  const fail = (what: string, found: FaultClass, cause?: unknown) =>
    hostFailed(`The tunnel ${address} ${what}`, { host: address, ...found }, cause);
  const late = () =>
    fail(`was not open within ${deadlineMs} ms`, { fault: "dial-timeout", kind: "reconnect" });
  return attempt({ deadlineMs, clock, signal, late }, ({ resolve, reject }) => {
    let phase: TunnelPhase = "connecting";
    const secure = new URL(url).protocol === "wss:";
    const socket = new WebSocket(url, {
      headers,
      perMessageDeflate: false,
      maxPayload: LARGEST_MESSAGE,
      // Newer than the types.
      ...{ closeTimeout: CLOSE_MS },
      generateMask: (mask) => void mask.fill(0),
      rejectUnauthorized: !insecure,
      ...(ca === undefined ? {} : { ca: typeof ca === "string" ? ca : Buffer.from(ca) }),
      createConnection: ((options: ConnectionOptions) => {
        const opened = openSocket(secure, options);
        opened.once("connect", () => phase = secure ? "tls" : "upgrading");
        opened.once("secureConnect", () => phase = "upgrading");
        return opened;
      }) as never,
    });
    // It stays for life: an error may come after everything has been settled.
    socket.on("error", (error) => {
      const found = classifyTunnel(phase, error);
      reject(fail(`could not be opened: ${found.detail ?? error.message}`, found, error));
      // A broken frame is answered with a close frame, which nobody may wait for.
      socket.terminate();
    });
    socket.once("unexpected-response", (_request, response) => {
      const status = response.statusCode ?? 0;
      const wait = retryAfterMs(response.headers["retry-after"], clock.now());
      response.resume();
      reject(fail(`was refused with HTTP status ${status}`, classifyStatus(status, wait)));
    });
    socket.once("open", () => {
      const stream = createWebSocketStream(socket);
      stream.on("error", () => {});
      const write = stream._write.bind(stream);
      // A close says more than that something could not be written, and always follows.
      stream._write = (chunk, encoding, done) =>
        socket.readyState === WebSocket.OPEN ? write(chunk, encoding, () => done()) : done();
      socket.once("close", (code) => {
        const lost = fail(`was closed with code ${code}`, classifyClose(code));
        // What has been received is still read; then the stream ends with the reason.
        if (stream.readableLength === 0) stream.destroy(lost);
        else setImmediate(() => stream.destroy(lost));
      });
      resolve(stream);
    });
    return () => socket.terminate();
  });
}

/** As `ws` would open it. That it is opened here tells how far it has come. */
function openSocket(secure: boolean, options: ConnectionOptions): Socket {
  const { host = "" } = options;
  // The path is that of the request; to a socket it would name a pipe.
  const target = { ...options, path: undefined, noDelay: true, autoSelectFamily: true };
  return secure
    ? connectTls({ ...target, servername: isIP(host) ? "" : host } as unknown as ConnectionOptions)
    : connectTcp(target as unknown as NetConnectOpts);
}
