import { Buffer } from "node:buffer";
import {
  createServer,
  type IncomingMessage,
  request as httpRequest,
  type Server,
  type ServerResponse,
} from "node:http";
import type { Socket } from "node:net";
import type { Duplex } from "node:stream";
import { type RawData, WebSocket, WebSocketServer } from "ws";

/** What happens to one request. */
export type HttpFault =
  /** The server does what it is asked for, and its answer never comes: the connection is reset. */
  | { readonly kind: "lost-reply" }
  /** The server gets the request twice, one after the other; its second answer is handed on. */
  | { readonly kind: "doubled" }
  /** The answer ends after so many bytes of its body. */
  | { readonly kind: "cut-reply"; readonly at: number }
  /** The server gets the request; nobody answers, nobody closes. */
  | { readonly kind: "no-reply" }
  /** This status in place of an answer. The server gets nothing. */
  | StatusFault;

/** A status by whatever stands in front of the server. */
export interface StatusFault {
  readonly kind: "status";
  readonly status: 429 | 500 | 502 | 503 | 504;
  /** In seconds. @default no `Retry-After` */
  readonly retryAfter?: number;
}

/** What happens to one WebSocket. */
export type WebSocketFault =
  | StatusFault
  /** Nothing is answered to the upgrade, nobody closes. */
  | { readonly kind: "no-reply" }
  /** Closed in good order, after so many bytes of the server. */
  | { readonly kind: "ws-close"; readonly code: 1001 | 1011 | 1012 | 1013; readonly at: number }
  /** Ended without a goodbye, after so many bytes of the server. */
  | { readonly kind: "ws-drop"; readonly at: number }
  /** Bytes that are no frame, after so many bytes of the server. */
  | { readonly kind: "ws-garbage"; readonly at: number };

/** A real HTTP and WebSocket proxy in front of a real server. */
export interface HttpFaultProxy {
  readonly port: number;
  /** `http://127.0.0.1:<port>`. */
  readonly url: string;
  /** Requests that came, and requests that the server got; upgrades are not among them. */
  readonly requests: { readonly came: number; readonly forwarded: number };
  /** Upgrades that came. */
  readonly upgrades: number;
  /** How often each kind of fault really happened; `status 503` and the like. */
  readonly hit: ReadonlyMap<string, number>;
  /** What happens to the next requests that are no upgrades, one each; `null` is nothing. */
  nextRequests(...faults: readonly (HttpFault | null)[]): void;
  /** What happens to the next WebSockets. */
  nextSockets(...faults: readonly (WebSocketFault | null)[]): void;
  /** Ends every WebSocket that stands without a goodbye. */
  drop(): void;
  close(): Promise<void>;
}

/**
 * @param to where the server listens
 */
export async function httpFaultProxy(
  to: { readonly port: number; readonly host?: string },
): Promise<HttpFaultProxy> {
  const proxy = new HttpProxy(to);
  await proxy.listen();
  return proxy;
}

interface Answer {
  readonly status: number;
  readonly headers: IncomingMessage["headers"];
  readonly body: Buffer;
}

class HttpProxy implements HttpFaultProxy {
  readonly requests = { came: 0, forwarded: 0 };
  readonly hit = new Map<string, number>();
  upgrades = 0;
  port = 0;
  readonly #to: { readonly port: number; readonly host?: string };
  readonly #server: Server;
  readonly #connections = new Set<Duplex>();
  readonly #webSockets = new Set<WebSocket>();
  readonly #upgrader = new WebSocketServer({ noServer: true, perMessageDeflate: false });
  #requestFaults: (HttpFault | null)[] = [];
  #socketFaults: (WebSocketFault | null)[] = [];

  constructor(to: { readonly port: number; readonly host?: string }) {
    this.#to = to;
    this.#server = createServer((request, response) => void this.#serve(request, response));
    this.#server.on("connection", (socket: Socket) => {
      this.#connections.add(socket);
      socket.on("error", () => {});
      socket.once("close", () => this.#connections.delete(socket));
    });
    this.#server.on("upgrade", (request: IncomingMessage, socket: Duplex, head: Buffer) => {
      this.#upgrade(request, socket, head);
    });
  }

  get url(): string {
    return `http://127.0.0.1:${this.port}`;
  }

  async listen(): Promise<void> {
    await new Promise<void>((resolve) => this.#server.listen(0, "127.0.0.1", resolve));
    const address = this.#server.address();
    this.port = typeof address === "object" && address !== null ? address.port : 0;
  }

  nextRequests(...faults: readonly (HttpFault | null)[]): void {
    this.#requestFaults.push(...faults);
  }

  nextSockets(...faults: readonly (WebSocketFault | null)[]): void {
    this.#socketFaults.push(...faults);
  }

  drop(): void {
    for (const webSocket of this.#webSockets) webSocket.terminate();
  }

  async close(): Promise<void> {
    this.drop();
    for (const connection of this.#connections) connection.destroy();
    await new Promise((resolve) => this.#server.close(resolve));
  }

  #note(what: string): void {
    this.hit.set(what, (this.hit.get(what) ?? 0) + 1);
  }

  async #serve(request: IncomingMessage, response: ServerResponse): Promise<void> {
    this.requests.came++;
    const fault = this.#requestFaults.shift() ?? null;
    const { socket } = request;
    try {
      const body = await read(request);
      if (fault?.kind === "status") {
        this.#note(`status ${fault.status}`);
        response.writeHead(fault.status, headersOf(fault)).end("not now");
        return;
      }
      let answer = await this.#forward(request, body);
      if (fault !== null) this.#note(fault.kind);
      if (fault?.kind === "no-reply") return;
      if (fault?.kind === "lost-reply") return void socket.resetAndDestroy();
      if (fault?.kind === "doubled") answer = await this.#forward(request, body);
      // The body is sent as a whole, with its own length.
      const { "transfer-encoding": _, ...headers } = answer.headers;
      response.writeHead(answer.status, { ...headers, "content-length": answer.body.length });
      if (fault?.kind !== "cut-reply") return void response.end(answer.body);
      response.write(answer.body.subarray(0, fault.at), () => socket.destroy());
    } catch {
      // What the server does not answer is not answered.
      socket.destroy();
    }
  }

  async #forward(request: IncomingMessage, body: Buffer): Promise<Answer> {
    this.requests.forwarded++;
    const { port, host = "127.0.0.1" } = this.#to;
    const { method, url, headers } = request;
    return await new Promise((resolve, reject) => {
      const sent = httpRequest({
        host,
        port,
        ...(method === undefined ? {} : { method }),
        ...(url === undefined ? {} : { path: url }),
        headers: { ...headers, connection: "close" },
      }, (answer) => {
        read(answer).then(
          (bytes) =>
            resolve({ status: answer.statusCode ?? 502, headers: answer.headers, body: bytes }),
          reject,
        );
      });
      sent.once("error", reject);
      sent.end(body);
    });
  }

  #upgrade(request: IncomingMessage, socket: Duplex, head: Buffer): void {
    this.upgrades++;
    const fault = this.#socketFaults.shift() ?? null;
    socket.on("error", () => {});
    if (fault?.kind === "no-reply") return this.#note("no-reply");
    if (fault?.kind === "status") {
      this.#note(`status ${fault.status}`);
      const lines = Object.entries(headersOf(fault)).map(([name, value]) =>
        `${name}: ${value}\r\n`
      );
      socket.end(`HTTP/1.1 ${fault.status} No\r\n${lines.join("")}content-length: 0\r\n\r\n`);
      return;
    }
    const { port, host = "127.0.0.1" } = this.#to;
    const { authorization, "circle-token": token } = request.headers;
    const server = new WebSocket(`ws://${host}:${port}${request.url ?? "/"}`, {
      perMessageDeflate: false,
      headers: {
        ...(authorization === undefined ? {} : { authorization }),
        ...(token === undefined ? {} : { "circle-token": String(token) }),
      },
    });
    server.on("unexpected-response", (_request, answer) => {
      socket.end(`HTTP/1.1 ${answer.statusCode} No\r\ncontent-length: 0\r\n\r\n`);
      server.terminate();
    });
    server.on("error", () => socket.destroy());
    server.once("open", () => {
      this.#upgrader.handleUpgrade(request, socket, head, (client) => {
        this.#join(client, server, socket, fault);
      });
    });
  }

  #join(
    client: WebSocket,
    server: WebSocket,
    socket: Duplex,
    fault: Exclude<WebSocketFault, StatusFault | { kind: "no-reply" }> | null,
  ): void {
    let seen = 0;
    let isOver = false;
    const happen = () => {
      if (fault === null || isOver || seen < fault.at) return;
      isOver = true;
      this.#note(fault.kind === "ws-close" ? `ws-close ${fault.code}` : fault.kind);
      if (fault.kind === "ws-close") client.close(fault.code);
      // All reserved bits and an opcode that is none.
      else if (fault.kind === "ws-garbage") socket.write(Buffer.alloc(64, 0xff));
      else socket.destroy();
      server.terminate();
    };
    for (const [from, to] of [[client, server], [server, client]] as const) {
      this.#webSockets.add(from);
      from.on("error", () => {});
      from.on("message", (data: RawData, isBinary: boolean) => {
        if (isOver || to.readyState !== WebSocket.OPEN) return;
        to.send(data as Buffer, { binary: isBinary });
        if (from !== server) return;
        seen += (data as Buffer).length;
        happen();
      });
      from.once("close", (code: number, reason: Buffer) => {
        this.#webSockets.delete(from);
        if (isOver && from === server) return;
        if (code === 1005) to.close();
        else if (code === 1006) to.terminate();
        else to.close(code, reason);
      });
    }
    happen();
  }
}

function headersOf({ retryAfter }: StatusFault): Record<string, string> {
  const headers = { connection: "close" };
  return retryAfter === undefined ? headers : { ...headers, "retry-after": String(retryAfter) };
}

async function read(stream: IncomingMessage): Promise<Buffer> {
  const chunks: Uint8Array[] = [];
  for await (const chunk of stream) chunks.push(chunk as Uint8Array);
  return Buffer.concat(chunks);
}
