import { createConnection, createServer, type Socket } from "node:net";
import { join } from "node:path";
import { tempDir } from "./temp-dir.ts";

/** Stands between a client and a server on a socket, and loses connections when told. */
export interface SocketProxy {
  /** Where it listens: the path of a socket, and a port of 127.0.0.1. */
  readonly path: string;
  readonly port: number;
  /** Cuts every connection. New ones are taken. */
  cut(): void;
  /** Cuts the next connection whose first bytes are `request` when its answer comes. */
  cutAnswerTo(request: string): void;
  close(): void;
}

/**
 * Hands on bytes and half-closes both ways.
 *
 * @param to the path of the server's socket
 */
export async function socketProxy(to: string): Promise<SocketProxy> {
  const sockets = new Set<Socket>();
  let wanted: string | undefined;
  const serve = (client: Socket) => {
    const server = createConnection({ path: to, allowHalfOpen: true });
    let doomed = false;
    client.once("data", (chunk) => {
      if (wanted === undefined || !String(chunk).startsWith(wanted)) return;
      wanted = undefined;
      doomed = true;
    });
    server.once("data", () => {
      if (doomed) client.destroy();
    });
    for (const [one, other] of [[client, server], [server, client]] as const) {
      sockets.add(one);
      one.on("error", () => other.destroy());
      one.on("close", () => {
        sockets.delete(one);
        // What it has sent before is still on its way to the other side.
        if (!one.readableEnded) other.destroy();
      });
      one.pipe(other);
    }
  };
  const path = join(await tempDir(), "proxy.sock");
  const local = createServer({ allowHalfOpen: true }, serve);
  const tcp = createServer({ allowHalfOpen: true }, serve);
  await new Promise<void>((resolve) => local.listen(path, resolve));
  await new Promise<void>((resolve) => tcp.listen(0, "127.0.0.1", resolve));
  const address = tcp.address();
  const cut = () => {
    for (const socket of sockets) socket.destroy();
  };
  return {
    path,
    port: typeof address === "object" && address !== null ? address.port : 0,
    cut,
    cutAnswerTo: (request) => wanted = request,
    close: () => {
      local.close();
      tcp.close();
      cut();
    },
  };
}
