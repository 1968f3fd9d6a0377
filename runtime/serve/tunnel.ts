import type { IncomingMessage } from "node:http";
import type { Duplex } from "node:stream";
import { createWebSocketStream, type WebSocket, WebSocketServer } from "ws";
import type { Clock } from "../clock.ts";
import type { Instance } from "./instance.ts";
import { matchRoute } from "./routes.ts";
import type { ServeLimits } from "./serve-limits.ts";
import { serveSsh } from "./serve-ssh.ts";
import type { ServeEvent } from "./serve-event.ts";

/** What {@link openTunnels} works with. */
export interface TunnelPorts {
  readonly find: (id: string) => Instance | undefined;
  readonly limits: ServeLimits;
  /** The private key, OpenSSH format. */
  readonly hostKey: string;
  readonly clock: Clock;
  readonly onEvent: (event: ServeEvent) => void;
}

/** The WebSockets of a server. */
export interface Tunnels {
  /** For the server's `upgrade` event. */
  upgrade(request: IncomingMessage, socket: Duplex, head: Buffer): void;
  /** Closes every tunnel. */
  close(): void;
}

const PING_MS = 30_000;

/**
 * Makes the tunnels: SSH over the binary messages of a WebSocket at an instance's URL. The URL's id
 * cannot be guessed, and still is no right to anything: a key is.
 */
export function openTunnels(ports: TunnelPorts): Tunnels {
  const { limits } = ports;
  const server = new WebSocketServer({
    noServer: true,
    perMessageDeflate: false,
    maxPayload: limits.frameBytes,
    clientTracking: true,
  });
  return {
    upgrade(request, socket, head) {
      socket.on("error", () => {});
      const route = matchRoute(request.url ?? "");
      const instance = route?.kind === "tunnel" ? ports.find(route.id) : undefined;
      if (instance === undefined) return refuse(socket, 404, "Not Found");
      if (instance.connections >= limits.connectionsPerInstance) {
        ports.onEvent({
          kind: "refused",
          what: "too many connections",
          instance: instance.label.id,
        });
        return refuse(socket, 429, "Too Many Requests");
      }
      server.handleUpgrade(request, socket, head, (ws) => carry(ports, instance, ws));
    },
    close() {
      for (const ws of server.clients) ws.terminate();
      server.close();
    },
  };
}

function carry(ports: TunnelPorts, instance: Instance, ws: WebSocket): void {
  const { clock, limits, hostKey, onEvent } = ports;
  const stream = createWebSocketStream(ws);
  stream.setMaxListeners(0);
  // SSH would wait for ever for the end of a stream whose WebSocket is gone.
  ws.once("close", () => stream.destroy());
  ws.on("error", () => ws.terminate());
  ws.on("message", (_data, isBinary) => {
    if (!isBinary) ws.close(1003);
  });
  let heard = true;
  ws.on("pong", () => heard = true);
  let ping = clock.setTimeout(function beat() {
    if (!heard) return ws.terminate();
    heard = false;
    ws.ping();
    ping = clock.setTimeout(beat, PING_MS);
  }, PING_MS);
  const leave = instance.join(() => ws.terminate());
  ws.once("close", () => {
    clock.clearTimeout(ping);
    leave();
  });
  serveSsh({ instance, stream, hostKey, clock, limits, onEvent, backlog: () => ws.bufferedAmount });
}

function refuse(socket: Duplex, status: number, reason: string): void {
  const retry = status === 429 ? "Retry-After: 1\r\n" : "";
  socket.end(
    `HTTP/1.1 ${status} ${reason}\r\n${retry}Content-Length: 0\r\nConnection: close\r\n\r\n`,
  );
}
