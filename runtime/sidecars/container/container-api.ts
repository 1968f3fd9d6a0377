import { Buffer } from "node:buffer";
import { type ClientRequest, type IncomingMessage, request as overHttp } from "node:http";
import { request as overTls } from "node:https";
import type { Duplex } from "node:stream";
import type { Clock } from "../../clock.ts";
import { isSidecanaryError } from "../../errors.ts";
import { hostFailed } from "../host-failed.ts";
import type { ContainerEndpoint } from "./container-endpoint.ts";
import { connectionFault, statusFault } from "./container-fault.ts";

/** One call of the Docker Engine API. */
export interface ApiCall {
  readonly method: "GET" | "POST" | "DELETE";
  /** Without a query: `/containers/json`. */
  readonly path: string;
  /** @default none */
  readonly query?: Readonly<Record<string, string>>;
  /** JSON. @default none */
  readonly body?: unknown;
  /** For people: "listing containers". */
  readonly during: string;
  readonly signal: AbortSignal;
  /**
   * How long the answer may take, in ms; `null` for as long as it takes.
   * @default 60_000
   */
  readonly timeoutMs?: number | null;
}

/** An answer, of whatever status. */
export interface ApiAnswer {
  readonly status: number;
  /** The JSON of the body; its text where it is none. */
  readonly body: unknown;
}

const TIMEOUT_MS = 60_000;
const KEEP_ALIVE_MS = 15_000;

/**
 * The Docker Engine API (https://docs.docker.com/reference/api/engine/) at one service, with a
 * connection for each call.
 *
 * Everything rejects with `host-failed` where the connection fails or takes too long, and with the
 * signal's reason when aborted.
 */
export class ContainerApi {
  readonly #endpoint: ContainerEndpoint;
  readonly #clock: Clock;

  constructor(endpoint: ContainerEndpoint, clock: Clock) {
    this.#endpoint = endpoint;
    this.#clock = clock;
  }

  /** The address, for messages. */
  get service(): string {
    return this.#endpoint.name;
  }

  /** Whether the service is on this machine, behind a socket of the file system. */
  get isLocal(): boolean {
    return "socketPath" in this.#endpoint.at;
  }

  /** Calls and reads the answer to its end. A status is never an error here. */
  async call(call: ApiCall): Promise<ApiAnswer> {
    return await this.#dial(call, {}, async (response) => {
      const parts: Buffer[] = [];
      for await (const part of response) parts.push(part as Buffer);
      return { status: response.statusCode ?? 0, body: parse(Buffer.concat(parts)) };
    });
  }

  /**
   * Calls and hands over each line of JSON as it comes.
   * @returns the status, and the body where it is that of an error
   */
  async lines(call: ApiCall, onLine: (line: unknown) => void): Promise<ApiAnswer> {
    return await this.#dial(call, {}, async (response) => {
      const status = response.statusCode ?? 0;
      let rest = "";
      response.setEncoding("utf8");
      for await (const part of response) {
        rest += String(part);
        if (status !== 200) continue;
        const whole = rest.split("\n");
        rest = whole.pop() ?? "";
        for (const line of whole) if (line.trim() !== "") onLine(parse(Buffer.from(line)));
      }
      if (status === 200 && rest.trim() !== "") onLine(parse(Buffer.from(rest)));
      return { status, body: status === 200 ? undefined : parse(Buffer.from(rest)) };
    });
  }

  /**
   * Calls and takes over the connection, which then carries raw bytes both ways. Whoever gets it
   * listens for its errors and destroys it.
   *
   * @throws SidecanaryError `host-failed` also where the answer has a status
   */
  async hijack(call: ApiCall): Promise<Duplex> {
    return await this.#dial(call, { connection: "Upgrade", upgrade: "tcp" }, async (response) => {
      const parts: Buffer[] = [];
      for await (const part of response) parts.push(part as Buffer);
      throw this.unexpected(call.during, {
        status: response.statusCode ?? 0,
        body: parse(Buffer.concat(parts)),
      });
    });
  }

  /** The error for an answer that was not expected. */
  unexpected(during: string, { status, body }: ApiAnswer) {
    return statusFault(this.service, during, status, messageOf(body));
  }

  async #dial<T>(
    call: ApiCall,
    headers: Readonly<Record<string, string>>,
    read: (response: IncomingMessage) => Promise<T>,
  ): Promise<T> {
    const { signal, during } = call;
    signal.throwIfAborted();
    const request = this.#request(call, headers);
    // A machine that went away in the middle of a command ends the connection in minutes, not never.
    if (!this.isLocal) request.setSocketKeepAlive(true, KEEP_ALIVE_MS);
    let stopped: unknown;
    const stop = (why: unknown) => {
      stopped ??= why;
      request.destroy();
    };
    const whenAborted = () => stop(signal.reason);
    signal.addEventListener("abort", whenAborted, { once: true });
    const timeoutMs = call.timeoutMs === undefined ? TIMEOUT_MS : call.timeoutMs;
    const timer = timeoutMs === null
      ? undefined
      : this.#clock.setTimeout(() => stop(this.#late(during, timeoutMs)), timeoutMs);
    try {
      return await new Promise<T>((resolve, reject) => {
        request.on("error", reject);
        let answered = false;
        // A connection that ends before the answer may leave nothing but "close".
        request.on("close", () => {
          if (!answered) reject(new Error("the connection ended before the answer"));
        });
        request.on("response", (response) => {
          answered = true;
          void read(response).then(resolve, reject);
        });
        request.on("upgrade", (_response, socket, head) => {
          answered = true;
          socket.on("error", () => {});
          if (head.length > 0) socket.unshift(head);
          resolve(socket as T);
        });
        if (call.body !== undefined) request.write(JSON.stringify(call.body));
        request.end();
      });
    } catch (error) {
      if (stopped !== undefined) throw stopped;
      throw isSidecanaryError(error) ? error : connectionFault(this.service, during, error);
    } finally {
      signal.removeEventListener("abort", whenAborted);
      if (timer !== undefined) this.#clock.clearTimeout(timer);
    }
  }

  #request(call: ApiCall, extra: Readonly<Record<string, string>>): ClientRequest {
    const query = new URLSearchParams(call.query).toString();
    const options = {
      method: call.method,
      path: query === "" ? call.path : `${call.path}?${query}`,
      // A kept connection may have been closed by the service just when it is used again.
      agent: false,
      headers: {
        ...(call.body === undefined ? {} : {
          "content-type": "application/json",
          "content-length": String(Buffer.byteLength(JSON.stringify(call.body))),
        }),
        ...(call.method === "POST" && call.body === undefined ? { "content-length": "0" } : {}),
        ...extra,
      },
    };
    const { at } = this.#endpoint;
    if ("socketPath" in at) return overHttp({ ...options, socketPath: at.socketPath });
    if (at.tls === undefined) return overHttp({ ...options, host: at.host, port: at.port });
    return overTls({ ...options, ...at.tls, host: at.host, port: at.port });
  }

  #late(during: string, timeoutMs: number) {
    return hostFailed(
      `The container service at ${this.service} did not answer within ${timeoutMs} ms while ` +
        during,
      { host: this.service, fault: "frozen", kind: "reconnect", detail: timeoutMs },
    );
  }
}

function parse(bytes: Buffer): unknown {
  const text = bytes.toString("utf8");
  try {
    return JSON.parse(text);
  } catch {
    // Proxies and old services answer in plain text: what it is worth is for the caller to say.
    return text;
  }
}

/** What the service says about its refusal: `{"message": …}`, or the text that came in its place. */
function messageOf(body: unknown): string {
  const said = typeof body === "object" && body !== null && "message" in body ? body.message : body;
  return typeof said === "string" && said.trim() !== "" ? said.trim().slice(0, 2000) : "no reason";
}
