import { type ChildProcess, spawn } from "node:child_process";
import { connect, createServer, type Server, type Socket } from "node:net";
import process from "node:process";
import type { Duplex } from "node:stream";
import ssh2 from "ssh2";
import type {
  Connection,
  ParsedKey,
  PseudoTtyInfo,
  ServerChannel,
  ServerConfig,
  Session,
  WindowChangeInfo,
} from "ssh2";
import type { HostKeyPolicy } from "../../runtime/ssh/host-key-policy.ts";
import type { SshIdentity } from "../../runtime/ssh/ssh-identity.ts";

/** How an {@link SshServer} is made. */
export interface SshServerOptions {
  /** Public keys, in the wire format, that may log in. @default the kit's own */
  readonly authorised?: readonly Uint8Array[];
  /** Private host keys as PEM. @default a fresh ed25519 key */
  readonly hostKeys?: readonly string[];
  /** @default ssh2's */
  readonly algorithms?: ServerConfig["algorithms"];
  /** Text before authentication. @default none */
  readonly banner?: string;
  /** The login shell, as the beginning of an argument list. @default ["/bin/sh", "-c"] */
  readonly shell?: readonly [string, ...string[]];
  /** Variables over this process's. @default {} */
  readonly env?: Readonly<Record<string, string>>;
  /** Commands are not run at all but refused, as by a server without `exec`. @default false */
  readonly refuseCommands?: boolean;
}

/** A size that a terminal was given. */
export interface TerminalSize {
  readonly columns: number;
  readonly rows: number;
}

/** What of ssh2's server has no public way in. */
interface Inner {
  readonly _protocol: {
    readonly _handlers: Record<string, (protocol: Inner["_protocol"], info: OpenInfo) => void>;
    channelOpenFail(sender: number, reason: number, text: string): void;
    disconnect(reason: number): void;
    rekey(): void;
  };
}

interface OpenInfo {
  readonly sender: number;
  readonly type: string;
}

/**
 * A real SSH server that runs commands by real shells on this machine, and fails as it is told to.
 * Its terminals are fakes: pipes that remember their sizes.
 */
export class SshServer {
  /** The private key that may log in. */
  readonly key: ParsedKey = newKey();
  /** The same, to be connected with. */
  readonly identity: SshIdentity = { kind: "key", key: this.key };
  readonly username = "tester";
  readonly host = "127.0.0.1";
  /** The public host key, in the wire format, of the first host key. */
  readonly hostKey: Uint8Array;
  /** Trusts {@link SshServer.hostKey} and nothing else. */
  readonly policy: HostKeyPolicy;
  /** Command lines as they came. */
  readonly commands: string[] = [];
  /** Public keys that were offered, in base64. */
  readonly offers: string[] = [];
  /** Sizes of terminals, in the order they were set. */
  readonly sizes: TerminalSize[] = [];
  /** Called in place of an answer when somebody wants to log in. */
  onLogin: (() => void) | undefined;
  /** How many connections were made to it so far. */
  accepted = 0;
  /** How many sessions were open at one time, at most. */
  mostSessions = 0;

  readonly #options: SshServerOptions;
  readonly #ssh: InstanceType<typeof ssh2.Server>;
  readonly #tcp: Server;
  readonly #streams = new Set<Duplex>();
  readonly #connections = new Set<Connection>();
  readonly #children = new Set<ChildProcess>();
  #refusals: number[] = [];
  #sessions = 0;

  private constructor(options: SshServerOptions) {
    this.#options = options;
    const hostKeys = options.hostKeys ?? [newKeyPem()];
    const parsed = ssh2.utils.parseKey(hostKeys[0] ?? "");
    if (parsed instanceof Error) throw parsed;
    const hostKey = this.hostKey = parsed.getPublicSSH();
    this.policy = {
      algorithms: [],
      verify: (key) =>
        Buffer.compare(key, hostKey) === 0
          ? { ok: true }
          : { ok: false, fault: "host-key-changed", message: "another key" },
    };
    const { algorithms, banner } = options;
    this.#ssh = new ssh2.Server({
      hostKeys: [...hostKeys],
      ...(algorithms === undefined ? {} : { algorithms }),
      ...(banner === undefined ? {} : { banner }),
    }, (connection) => this.#serve(connection));
    this.#tcp = createServer({ noDelay: true }, (socket) => this.inject(socket));
  }

  static async listen(options: SshServerOptions = {}): Promise<SshServer> {
    const server = new SshServer(options);
    await new Promise<void>((resolve) => server.#tcp.listen(0, server.host, resolve));
    return server;
  }

  get port(): number {
    const address = this.#tcp.address();
    if (address === null || typeof address === "string") throw new Error("the server is closed");
    return address.port;
  }

  /** How many connections stand. */
  get open(): number {
    return this.#streams.size;
  }

  /** Speaks SSH on a stream that somebody else has accepted: a WebSocket's. */
  inject(stream: Duplex): void {
    this.accepted++;
    this.#streams.add(stream);
    stream.on("error", () => {});
    stream.once("close", () => this.#streams.delete(stream));
    this.#ssh.injectSocket(stream as Socket);
  }

  /** A connection of its own to the server, without SSH. */
  async dial(): Promise<Socket> {
    const socket = connect({ port: this.port, host: this.host, noDelay: true });
    await new Promise<void>((resolve, reject) => {
      socket.once("connect", resolve);
      socket.once("error", reject);
    });
    return socket;
  }

  /** Refuses the next channels, one for each reason (RFC 4254 §5.1). */
  refuseChannels(...reasons: readonly number[]): void {
    this.#refusals.push(...reasons);
  }

  /** How many of the refusals are still to come. */
  get refusalsLeft(): number {
    return this.#refusals.length;
  }

  /** Ends every connection: `fin` without a word, `reset` by RST (TCP only). */
  drop(how: "fin" | "reset" = "fin"): void {
    for (const stream of this.#streams) {
      if (how === "reset" && "resetAndDestroy" in stream) (stream as Socket).resetAndDestroy();
      else if (how === "fin") stream.end();
      else stream.destroy();
    }
  }

  /** Says goodbye on every connection with a reason (RFC 4253 §11.1), and ends it. */
  disconnect(reason: number): void {
    for (const connection of this.#connections) {
      (connection as unknown as Inner)._protocol.disconnect(reason);
    }
    this.drop();
  }

  /** Exchanges new keys on every connection. */
  rekey(): void {
    for (const connection of this.#connections) {
      (connection as unknown as Inner)._protocol.rekey();
    }
  }

  /** Stops reading from every connection, so that nothing is answered any more. */
  freeze(): void {
    for (const stream of this.#streams) stream.pause();
  }

  thaw(): void {
    for (const stream of this.#streams) stream.resume();
  }

  /** Ends connections and what runs, and stops listening. */
  async close(): Promise<void> {
    for (const child of this.#children) {
      try {
        if (child.pid !== undefined) process.kill(-child.pid, "SIGKILL");
      } catch {
        // It has ended by itself meanwhile.
      }
    }
    for (const stream of this.#streams) stream.destroy();
    await new Promise((resolve) => this.#tcp.close(resolve));
  }

  #serve(connection: Connection): void {
    this.#connections.add(connection);
    connection.on("error", () => {});
    connection.on("close", () => this.#connections.delete(connection));
    const authorised = this.#options.authorised ?? [this.key.getPublicSSH()];
    connection.on("authentication", (context) => {
      if (this.onLogin !== undefined) return this.onLogin();
      if (context.method !== "publickey") return context.reject(["publickey"]);
      const key = ssh2.utils.parseKey(
        `${context.key.algo.replace(/^rsa-.*/, "ssh-rsa")} ${context.key.data.toString("base64")}`,
      );
      this.offers.push(context.key.data.toString("base64"));
      const known = authorised.some((each) => Buffer.compare(each, context.key.data) === 0);
      if (key instanceof Error || !known) return context.reject(["publickey"]);
      const { blob, signature } = context;
      const signed = signature === undefined || blob === undefined ||
        key.verify(blob, signature, context.hashAlgo) === true;
      if (signed) context.accept();
      else context.reject(["publickey"]);
    });
    this.#guardChannels(connection as unknown as Inner);
    connection.on("session", (accept) => {
      this.#serveSession(accept());
    });
    connection.on("tcpip", (accept, reject, info) => {
      const socket = connect({ host: info.destIP, port: info.destPort, noDelay: true });
      socket.once("error", () => reject());
      socket.once("connect", () => {
        const channel = accept();
        channel.on("error", () => {});
        socket.on("error", () => {});
        channel.pipe(socket).pipe(channel);
        channel.on("close", () => socket.destroy());
        socket.on("close", () => channel.end());
      });
    });
  }

  #guardChannels({ _protocol }: Inner): void {
    const handlers = _protocol._handlers;
    const open = handlers["CHANNEL_OPEN"];
    handlers["CHANNEL_OPEN"] = (protocol, info) => {
      const reason = this.#refusals.shift();
      if (reason === undefined) open?.(protocol, info);
      else protocol.channelOpenFail(info.sender, reason, "open failed");
    };
  }

  #serveSession(session: Session): void {
    let terminal: Readonly<Record<string, string>> | undefined;
    const resized = ({ cols, rows }: PseudoTtyInfo | WindowChangeInfo): void => {
      this.sizes.push({ columns: cols, rows });
    };
    session.on("pty", (accept, _reject, info) => {
      resized(info);
      const { term } = info as PseudoTtyInfo & { readonly term?: string };
      terminal = { TERM: term ?? "", COLUMNS: String(info.cols), LINES: String(info.rows) };
      accept?.();
    });
    session.on("window-change", (accept, _reject, info) => {
      resized(info);
      accept?.();
    });
    session.on("exec", (accept, reject, { command }) => {
      if (this.#options.refuseCommands === true) return reject?.();
      this.commands.push(command);
      const [file, ...args] = this.#options.shell ?? ["/bin/sh", "-c"];
      void this.#run(accept(), file, [...args, command], terminal);
    });
    session.on("shell", (accept) => {
      const [file] = this.#options.shell ?? ["/bin/sh"];
      void this.#run(accept(), file, ["-i"], terminal);
    });
  }

  async #run(
    channel: ServerChannel,
    file: string,
    args: readonly string[],
    terminal: Readonly<Record<string, string>> | undefined,
  ): Promise<void> {
    const env = { ...process.env, ...this.#options.env, ...terminal };
    const child = spawn(file, args, { detached: true, env, stdio: "pipe" });
    this.#children.add(child);
    const { stdin, stdout, stderr } = child;
    let open = true;
    this.mostSessions = Math.max(this.mostSessions, ++this.#sessions);
    const closed = new Promise<void>((resolve) => channel.once("close", resolve)).then(() => {
      open = false;
      this.#sessions--;
      // What runs goes on, and fails when it writes.
      for (const pipe of [stdin, stdout, stderr]) pipe.destroy();
    });
    channel.on("error", () => {});
    stdin.on("error", () => channel.unpipe(stdin).resume());
    stdin.on("close", () => channel.unpipe(stdin).resume());
    channel.pipe(stdin);
    // One write at a time: ssh2's server mixes up two that wait for the window.
    let last = Promise.resolve();
    const pump = async (from: AsyncIterable<Uint8Array>, to: "out" | "err"): Promise<void> => {
      try {
        for await (const chunk of from) {
          const before = last;
          last = before.then(() =>
            open ? Promise.race([closed, send(channel, to, chunk)]) : closed
          );
          await last;
        }
      } catch (error) {
        // A pipe that was destroyed with its channel ends early.
        if (open) throw error;
      }
    };
    const exit = new Promise<{ readonly code: number | null; readonly signal: string | null }>(
      (resolve) => {
        child.once("exit", (code, signal) => resolve({ code, signal }));
        child.once("error", () => resolve({ code: 127, signal: null }));
      },
    );
    const error = terminal === undefined ? "err" : "out";
    await Promise.all([exit, pump(stdout, "out"), pump(stderr, error)]);
    const { code, signal } = await exit;
    this.#children.delete(child);
    if (!open) return;
    if (code !== null) channel.exit(code);
    else channel.exit(signal ?? "SIGKILL", false, "");
    channel.end();
  }
}

/** A new ed25519 key. */
export function newKey(): ParsedKey {
  const key = ssh2.utils.parseKey(newKeyPem());
  if (key instanceof Error) throw key;
  return key;
}

/** A new private key in OpenSSH's format. One in a dozen that ssh2 makes is malformed. */
export function newKeyPem(): string {
  while (true) {
    const pem = ssh2.utils.generateKeyPairSync("ed25519").private;
    if (!(ssh2.utils.parseKey(pem) instanceof Error)) return pem;
  }
}

/** Resolves when the chunk was sent; ssh2 would send a part of it again if that was not awaited. */
function send(channel: ServerChannel, to: "out" | "err", chunk: Uint8Array): Promise<void> {
  return new Promise((resolve) => {
    const done = (): void => {
      const inner = channel as unknown as Record<string, unknown>;
      for (const left of ["_chunk", "_chunkcb", "_chunkErr", "_chunkcbErr"]) {
        inner[left] = undefined;
      }
      resolve();
    };
    if (to === "out") channel.write(chunk, done);
    else channel.stderr.write(chunk, done);
  });
}
