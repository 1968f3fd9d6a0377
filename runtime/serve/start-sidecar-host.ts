import { mkdir, realpath } from "node:fs/promises";
import { createServer as createHttpServer, type IncomingMessage, type Server } from "node:http";
import { createServer as createHttpsServer } from "node:https";
import type { AddressInfo, Socket } from "node:net";
import { type Clock, systemClock } from "../clock.ts";
import { SidecanaryError } from "../errors.ts";
import { serveApi } from "./api.ts";
import { checkCertificate } from "./check-certificate.ts";
import { chooseIsolation, type IsolationOptions } from "./choose-isolation.ts";
import { loadHostKey } from "./host-key.ts";
import { Instances } from "./instances.ts";
import { recover } from "./journal.ts";
import { formatHostPort, isLoopback, type ListenAddress } from "./listen-address.ts";
import type { ServeEvent } from "./serve-event.ts";
import { type ServeLimits, serveLimits } from "./serve-limits.ts";
import { lockState } from "./state-lock.ts";
import { type ServeToken, TokenDesk } from "./tokens.ts";
import { openTunnels } from "./tunnel.ts";

/** How a sidecar host is started. */
export interface SidecarHostOptions {
  readonly listen: ListenAddress;
  /** PEM texts. @default plain HTTP, which is for loopback only */
  readonly tls?: { readonly cert: string; readonly key: string };
  /** Plain HTTP although others can listen in: tokens can be stolen. @default false */
  readonly insecureHttp?: boolean;
  /** The URL that clients reach the host by, where a proxy stands before it. @default their own */
  readonly publicUrl?: string;
  readonly tokens: readonly ServeToken[];
  readonly isolation?: IsolationOptions;
  readonly limits?: Partial<ServeLimits>;
  /** Where the host key, the journal and the instances' files are; nothing else may be in it. */
  readonly stateDir: string;
  /** @default systemClock */
  readonly clock?: Clock;
  /** @default nothing is told */
  readonly onEvent?: (event: ServeEvent) => void;
  /** Gives the start up. @default never */
  readonly signal?: AbortSignal;
}

/** An instance, for people. */
export interface InstanceInfo {
  readonly id: string;
  readonly name: string;
  readonly owner: string;
  /** In ms since the epoch. */
  readonly createdAt: number;
  readonly connections: number;
  /** Commands that have not ended. */
  readonly running: number;
}

/** A sidecar host that serves. */
export interface SidecarHost {
  /** `https://127.0.0.1:8722` */
  readonly url: string;
  /** `ssh-ed25519 AAAA…` */
  readonly hostKey: string;
  /** How instances are kept apart, for people. */
  readonly isolation: string;
  instances(): readonly InstanceInfo[];
  /**
   * Stops: ends the connections, destroys every instance. Idempotent.
   *
   * @throws SidecanaryError `sidecar-failed` that names what is left
   */
  close(): Promise<void>;
}

/**
 * Serves the sidecar API: instances that are made, listed and destroyed by HTTP, and reached by SSH
 * over a WebSocket. Removes first what an earlier server of the state directory has left.
 *
 * @throws SidecanaryError `usage` for an address that cannot be listened at, or plain HTTP beyond
 *   loopback; `sandbox-unavailable` where instances cannot be kept apart; `sidecar-failed` where the
 *   state directory is in use; `config-invalid` for a broken host key or certificate
 */
export async function startSidecarHost(options: SidecarHostOptions): Promise<SidecarHost> {
  const { listen, tls, clock = systemClock, onEvent = () => {} } = options;
  const signal = options.signal ?? new AbortController().signal;
  const limits = serveLimits(options.limits);
  if (tls === undefined && !options.insecureHttp && !isLoopback(listen.host)) {
    throw new SidecanaryError(
      "usage",
      `Beyond loopback (${listen.host}) a certificate is needed: with plain HTTP anybody between can ` +
        "read the tokens. Give --tls-cert and --tls-key, or --insecure-http.",
      { option: "--listen" },
    );
  }
  if (tls !== undefined) checkCertificate(tls);
  await mkdir(options.stateDir, { recursive: true, mode: 0o700 });
  const stateDir = await realpath(options.stateDir);
  const unlock = await lockState(stateDir);
  try {
    for (const { id, problem } of await recover(stateDir)) {
      onEvent(
        problem === undefined
          ? { kind: "recovered", instance: id }
          : { kind: "failed", what: problem, instance: id },
      );
    }
    const hostKey = await loadHostKey(stateDir);
    const hide = [stateDir, ...options.isolation?.hide ?? []];
    const isolation = await chooseIsolation(
      { ...options.isolation, hide },
      limits,
      stateDir,
      signal,
    );
    const instances = new Instances({ stateDir, isolation, limits, clock, onEvent });
    const tunnels = openTunnels({
      find: (id) => instances.byId(id),
      limits,
      hostKey: hostKey.private,
      clock,
      onEvent,
    });
    const server = makeServer(tls, limits);
    const url = await listenAt(server, listen, tls === undefined ? "http" : "https");
    const answer = serveApi({
      instances,
      tokens: new TokenDesk(options.tokens),
      limits,
      hostKey: hostKey.public,
      urlFor: (request) => options.publicUrl?.replace(/\/+$/, "") ?? urlFor(request, url),
      onEvent,
    });
    server.on("request", (request, response) => void answer(request, response));
    server.on("upgrade", tunnels.upgrade);
    onEvent({ kind: "listening", url, isolation: isolation.description });
    let closing: Promise<void> | undefined;
    return {
      url,
      hostKey: hostKey.public,
      isolation: isolation.description,
      instances: () =>
        instances.all().map(({ label, createdAt, connections, running }) => {
          const { id, name, owner } = label;
          return { id, name, owner, createdAt, connections, running };
        }),
      close: () =>
        closing ??= (async () => {
          const closed = new Promise<void>((resolve) => server.close(() => resolve()));
          const left = await instances.close();
          tunnels.close();
          server.closeAllConnections();
          await closed;
          await unlock();
          if (left.length === 0) return;
          const names = left.map(({ id, reason }) => `${id} (${reason})`).join(", ");
          throw new SidecanaryError(
            "sidecar-failed",
            `The sidecar host left behind: ${names}. The next start with this state directory ` +
              "tries again.",
            { sidecar: left.map(({ id }) => id).join(", ") },
          );
        })(),
    };
  } catch (error) {
    await unlock();
    throw error;
  }
}

function makeServer(tls: SidecarHostOptions["tls"], limits: ServeLimits): Server {
  const settings = {
    headersTimeout: limits.headersMs,
    requestTimeout: limits.requestMs,
    keepAliveTimeout: limits.headersMs,
    connectionsCheckingInterval: Math.min(1_000, limits.headersMs),
    maxHeaderSize: 16_384,
  };
  const server: Server = tls === undefined
    ? createHttpServer(settings)
    : createHttpsServer({ ...settings, ...tls, handshakeTimeout: limits.headersMs });
  server.maxConnections = limits.sockets;
  const sockets = new Set<Socket>();
  server.on("connection", (socket: Socket) => {
    socket.setNoDelay(true);
    sockets.add(socket);
    socket.once("close", () => sockets.delete(socket));
  });
  server.on("request", (_request, response) => {
    // Idle sockets must not keep others out.
    if (sockets.size > limits.sockets / 2) response.setHeader("connection", "close");
  });
  // What is no HTTP, or comes too slowly, gets no answer.
  server.on("clientError", (_error, socket) => socket.destroy());
  server.on("tlsClientError", (_error, socket: Socket) => socket.destroy());
  return server;
}

async function listenAt(server: Server, listen: ListenAddress, scheme: string): Promise<string> {
  await new Promise<void>((resolve, reject) => {
    server.once("error", (error: NodeJS.ErrnoException) => {
      const message = `${formatHostPort(listen)} cannot be listened at: ${
        error.code ?? error.message
      }`;
      reject(new SidecanaryError("usage", message, { option: "--listen" }, error));
    });
    server.listen(listen.port, listen.host, resolve);
  });
  const { port } = server.address() as AddressInfo;
  return `${scheme}://${formatHostPort({ host: listen.host, port })}`;
}

/** The way this client came is one that it can come again. */
function urlFor(request: IncomingMessage, url: string): string {
  const host = request.headers.host ?? "";
  if (!/^(?:[A-Za-z0-9.-]+|\[[0-9a-fA-F:.]+\])(?::\d{1,5})?$/.test(host)) return url;
  return `${url.slice(0, url.indexOf("://"))}://${host}`;
}
