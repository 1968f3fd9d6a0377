import { connect, createServer, type Server, type Socket } from "node:net";
import { setTimeout } from "node:timers";

/** Whose bytes count: `up` are those of who has connected. */
export type Direction = "up" | "down";

/** What happens to one connection. */
export type ConnectionFault =
  /** After so many bytes of a direction: RST to both sides. With 0: at once, and nobody is dialled. */
  | { readonly kind: "reset"; readonly of: Direction; readonly at: number }
  /** The same with FIN. */
  | { readonly kind: "close"; readonly of: Direction; readonly at: number }
  /** The same, and then nothing more comes in that direction, and nobody closes. */
  | { readonly kind: "stall"; readonly of: Direction; readonly at: number }
  /** These words in place of the server's, and FIN. */
  | { readonly kind: "banner"; readonly text: string };

/** What each connection goes through. */
export interface Line {
  /**
   * How long each byte takes one way, in ms.
   * @default 0
   */
  readonly delayMs?: number;
  /** Of each direction. @default as many as the machine can */
  readonly bytesPerSecond?: number;
}

/** A real TCP proxy in front of a real server. */
export interface FaultProxy {
  readonly host: "127.0.0.1";
  readonly port: number;
  /** How many connections were taken so far. */
  readonly accepted: number;
  /** How many stand. */
  readonly open: number;
  /** How often each kind of fault really happened. */
  readonly hit: ReadonlyMap<ConnectionFault["kind"] | "refuse" | "drop", number>;
  /** What happens to the next connections, one each; `null` is nothing. */
  next(...faults: readonly (ConnectionFault | null)[]): void;
  /** Listens no more: connections are refused from now on. Those that stand go on. */
  refuse(): Promise<void>;
  /** Listens again, on the same port. */
  accept(): Promise<void>;
  /** Ends every connection that stands. */
  drop(how?: "close" | "reset"): void;
  /** Hands nothing on any more on the connections that stand, in either direction. */
  stall(): void;
  close(): Promise<void>;
}

/**
 * @param to where the server listens
 */
export async function faultProxy(
  to: { readonly port: number; readonly host?: string },
  line: Line = {},
): Promise<FaultProxy> {
  const proxy = new Proxy(to, line);
  await proxy.accept();
  return proxy;
}

class Proxy implements FaultProxy {
  readonly host = "127.0.0.1";
  readonly hit = new Map<ConnectionFault["kind"] | "refuse" | "drop", number>();
  accepted = 0;
  port = 0;
  readonly #to: { readonly port: number; readonly host?: string };
  readonly #line: Line;
  readonly #links = new Set<Link>();
  #faults: (ConnectionFault | null)[] = [];
  #server: Server | undefined;

  constructor(to: { readonly port: number; readonly host?: string }, line: Line) {
    this.#to = to;
    this.#line = line;
  }

  get open(): number {
    return this.#links.size;
  }

  next(...faults: readonly (ConnectionFault | null)[]): void {
    this.#faults.push(...faults);
  }

  async accept(): Promise<void> {
    if (this.#server !== undefined) return;
    const server = this.#server = createServer({ allowHalfOpen: true, noDelay: true }, (client) => {
      this.#serve(client);
    });
    await new Promise<void>((resolve, reject) => {
      server.once("error", reject);
      server.listen(this.port, this.host, resolve);
    });
    const address = server.address();
    this.port = typeof address === "object" && address !== null ? address.port : 0;
  }

  async refuse(): Promise<void> {
    const server = this.#server;
    this.#server = undefined;
    // It listens no more at once; its end is that of the last connection.
    server?.close();
    this.#note("refuse");
    await Promise.resolve();
  }

  drop(how: "close" | "reset" = "close"): void {
    for (const link of [...this.#links]) {
      this.#note("drop");
      link.end(how);
    }
  }

  stall(): void {
    for (const link of this.#links) {
      this.#note("stall");
      link.stall();
    }
  }

  async close(): Promise<void> {
    const server = this.#server;
    this.#server = undefined;
    for (const link of [...this.#links]) link.end("close");
    if (server !== undefined) await new Promise((resolve) => server.close(resolve));
  }

  #note(what: ConnectionFault["kind"] | "refuse" | "drop"): void {
    this.hit.set(what, (this.hit.get(what) ?? 0) + 1);
  }

  #serve(client: Socket): void {
    this.accepted++;
    const fault = this.#faults.shift() ?? undefined;
    client.on("error", () => {});
    if (fault?.kind === "banner") {
      this.#note("banner");
      client.resume().end(fault.text);
      return;
    }
    if (fault !== undefined && fault.at === 0 && fault.kind !== "stall") {
      this.#note(fault.kind);
      endSocket(client, fault.kind);
      return;
    }
    const { port, host = "127.0.0.1" } = this.#to;
    const server = connect({ port, host, allowHalfOpen: true, noDelay: true });
    const link = new Link(client, server, this.#line, fault, () => {
      if (fault !== undefined) this.#note(fault.kind);
    });
    this.#links.add(link);
    void link.closed.then(() => this.#links.delete(link));
  }
}

/** One connection and the one behind it. */
class Link {
  readonly closed: Promise<void>;
  readonly #sockets: readonly [Socket, Socket];
  readonly #line: Line;
  readonly #fault: Exclude<ConnectionFault, { kind: "banner" }> | undefined;
  readonly #onFault: () => void;
  readonly #seen = { up: 0, down: 0 };
  /** When the last byte of a direction arrives. */
  readonly #busyUntil = { up: 0, down: 0 };
  readonly #stalled = { up: false, down: false };

  constructor(
    client: Socket,
    server: Socket,
    line: Line,
    fault: Exclude<ConnectionFault, { kind: "banner" }> | undefined,
    onFault: () => void,
  ) {
    this.#sockets = [client, server];
    this.#line = line;
    this.#fault = fault;
    this.#onFault = onFault;
    this.#pump("up", client, server);
    this.#pump("down", server, client);
    this.closed = Promise.all(this.#sockets.map((socket) =>
      new Promise<void>((resolve) => {
        if (socket.closed) resolve();
        else socket.once("close", () => resolve());
      })
    )).then(() => {});
    if (fault?.kind === "stall" && fault.at === 0) this.#happen();
  }

  end(how: "close" | "reset"): void {
    for (const socket of this.#sockets) endSocket(socket, how);
  }

  stall(): void {
    this.#stalled.up = this.#stalled.down = true;
    for (const socket of this.#sockets) socket.pause();
  }

  #pump(direction: Direction, from: Socket, to: Socket): void {
    from.on("error", () => to.destroy());
    from.on("data", (chunk: Uint8Array) => this.#take(direction, from, to, chunk));
    from.on("end", () => this.#later(direction, 0, () => to.end()));
    from.on("close", () => {
      // What it has sent before is still on its way to the other side.
      if (!from.readableEnded) to.destroy();
    });
    to.on("drain", () => {
      if (!this.#stalled[direction]) from.resume();
    });
  }

  #take(direction: Direction, from: Socket, to: Socket, chunk: Uint8Array): void {
    if (this.#stalled[direction]) return;
    const fault = this.#fault?.of === direction ? this.#fault : undefined;
    const left = fault === undefined ? Infinity : fault.at - this.#seen[direction];
    this.#seen[direction] += chunk.length;
    const passed = chunk.length < left ? chunk : chunk.subarray(0, left);
    this.#later(direction, passed.length, () => {
      if (to.destroyed) return;
      const isLast = passed.length === left;
      if (!to.write(passed, () => isLast && this.#happen()) && !isLast) from.pause();
    });
    if (passed.length === left) {
      this.#stalled[direction] = true;
      from.pause();
    }
  }

  #happen(): void {
    const fault = this.#fault;
    if (fault === undefined) return;
    this.#onFault();
    if (fault.kind !== "stall") return this.end(fault.kind);
    this.#stalled[fault.of] = true;
    this.#sockets[fault.of === "up" ? 0 : 1].pause();
  }

  #later(direction: Direction, bytes: number, work: () => void): void {
    const { delayMs = 0, bytesPerSecond = Infinity } = this.#line;
    if (delayMs === 0 && bytesPerSecond === Infinity) return work();
    const now = performance.now();
    // The line takes one byte after the other; then each is on its way for as long.
    const sent = Math.max(now, this.#busyUntil[direction]) + bytes / bytesPerSecond * 1000;
    this.#busyUntil[direction] = sent;
    setTimeout(work, sent + delayMs - now);
  }
}

function endSocket(socket: Socket, how: "close" | "reset"): void {
  if (socket.destroyed) return;
  if (how === "close") socket.destroy();
  else socket.resetAndDestroy();
}
