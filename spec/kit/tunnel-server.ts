import { createServer, type IncomingMessage, type Server, type ServerResponse } from "node:http";
import { createServer as createSecureServer } from "node:https";
import type { Duplex } from "node:stream";
import { createWebSocketStream, type WebSocket, WebSocketServer } from "ws";

/** How a {@link TunnelServer} is made. */
export interface TunnelServerOptions {
  /** Takes the bytes of a WebSocket. */
  readonly onStream?: (stream: Duplex) => void;
  /** A certificate and its key as PEM: `wss`. @default `ws` */
  readonly tls?: { readonly cert: string; readonly key: string };
  /** Answers the upgrade by HTTP in place of a WebSocket. */
  readonly refuse?: { readonly status: number; readonly headers?: Record<string, string> };
  /** Accepts connections and says nothing. @default false */
  readonly silent?: boolean;
}

/** A real WebSocket server in front of something that speaks bytes. */
export class TunnelServer {
  /** Addresses and headers of the upgrades, in order. */
  readonly requests: { readonly url: string; readonly headers: IncomingMessage["headers"] }[] = [];
  readonly #http: Server;
  readonly #sockets = new Set<WebSocket>();
  readonly #connections = new Set<Duplex>();
  readonly #scheme: "ws" | "wss";

  private constructor({ onStream, tls, refuse, silent }: TunnelServerOptions) {
    this.#scheme = tls === undefined ? "ws" : "wss";
    this.#http = tls === undefined ? createServer() : createSecureServer(tls) as unknown as Server;
    this.#http.on("connection", (socket: Duplex) => {
      this.#connections.add(socket);
      socket.on("error", () => {});
      socket.once("close", () => this.#connections.delete(socket));
    });
    const webSockets = new WebSocketServer({ noServer: true });
    this.#http.on("upgrade", (request: IncomingMessage, socket: Duplex, head: Buffer) => {
      this.requests.push({ url: request.url ?? "", headers: request.headers });
      socket.on("error", () => {});
      if (silent === true) return;
      if (refuse !== undefined) {
        const headers = Object.entries(refuse.headers ?? {}).map(([name, value]) =>
          `${name}: ${value}\r\n`
        ).join("");
        socket.end(
          `HTTP/1.1 ${refuse.status} No\r\n${headers}Content-Length: 2\r\nConnection: close\r\n\r\nno`,
        );
        return;
      }
      webSockets.handleUpgrade(request, socket as never, head, (webSocket) => {
        this.#sockets.add(webSocket);
        webSocket.on("error", () => {});
        webSocket.once("close", () => this.#sockets.delete(webSocket));
        const stream = createWebSocketStream(webSocket);
        stream.on("error", () => {});
        webSocket.once("close", () => stream.destroy());
        onStream?.(stream);
      });
    });
    this.#http.on("request", (_request: IncomingMessage, response: ServerResponse) => {
      response.writeHead(426).end();
    });
  }

  static async listen(options: TunnelServerOptions = {}): Promise<TunnelServer> {
    const server = new TunnelServer(options);
    await new Promise<void>((resolve) => server.#http.listen(0, "127.0.0.1", resolve));
    return server;
  }

  get port(): number {
    const address = this.#http.address();
    if (address === null || typeof address === "string") throw new Error("the server is closed");
    return address.port;
  }

  /** By the name `localhost`, which its certificate has. */
  get url(): string {
    return `${this.#scheme}://localhost:${this.port}/ssh/tunnel`;
  }

  /** The open WebSockets. */
  get sockets(): readonly WebSocket[] {
    return [...this.#sockets];
  }

  /** The connections below them. */
  get connections(): readonly Duplex[] {
    return [...this.#connections];
  }

  /** Ends every connection without a word. */
  drop(): void {
    for (const socket of this.#sockets) socket.terminate();
    for (const connection of this.#connections) connection.destroy();
  }

  async close(): Promise<void> {
    this.drop();
    await new Promise((resolve) => this.#http.close(resolve));
  }
}
