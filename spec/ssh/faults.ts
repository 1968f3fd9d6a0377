import { createServer, type Socket } from "node:net";
import { isSidecanaryError } from "../../runtime/errors.ts";
import type { HostFaultDetails } from "../../runtime/host-fault.ts";
import { failure } from "../sidecars/host-contract.ts";

/** A bare TCP server that does one thing to every connection. */
export interface RawServer {
  readonly port: number;
  close(): Promise<void>;
}

/** Listens on a port of the loopback interface. */
export async function rawServer(onSocket: (socket: Socket) => void): Promise<RawServer> {
  const sockets = new Set<Socket>();
  const server = createServer({ noDelay: true }, (socket) => {
    sockets.add(socket);
    socket.on("error", () => {});
    onSocket(socket);
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  const address = server.address();
  if (address === null || typeof address === "string") throw new Error("no port");
  return {
    port: address.port,
    close: async () => {
      for (const socket of sockets) socket.destroy();
      await new Promise((resolve) => server.close(resolve));
    },
  };
}

/** A port that nothing listens on. */
export async function closedPort(): Promise<number> {
  const server = await rawServer(() => {});
  await server.close();
  return server.port;
}

/** The details of the `host-failed` error that a promise is rejected with. */
export async function faultOf(promise: Promise<unknown>): Promise<HostFaultDetails> {
  const error = await failure(promise);
  if (!isSidecanaryError(error, "host-failed")) throw error;
  return error.details;
}

/** `fault kind` of what a promise is rejected with. */
export async function faultAndKind(promise: Promise<unknown>): Promise<string> {
  const { fault, kind } = await faultOf(promise);
  return `${fault} ${kind}`;
}
