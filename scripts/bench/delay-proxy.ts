import { connect, createServer, type Socket } from "node:net";

/** A proxy on the loopback interface that makes every byte later. */
export interface DelayProxy {
  readonly port: number;
  /** How many connections came so far. */
  readonly connections: () => number;
  close(): Promise<void>;
}

/**
 * Stands in front of a port of this machine. Every chunk waits `delayMs` in each direction, so a round
 * trip takes twice that; throughput is as it was.
 */
export async function delayProxy(port: number, delayMs: number): Promise<DelayProxy> {
  const sockets = new Set<Socket>();
  let connections = 0;
  const server = createServer({ noDelay: true }, (client) => {
    connections++;
    const target = connect({ port, host: "127.0.0.1", noDelay: true });
    for (const [from, to] of [[client, target], [target, client]] as const) {
      sockets.add(from);
      const later = (work: () => void) => delayMs === 0 ? work() : setTimeout(work, delayMs);
      from.on("data", (chunk) => later(() => to.writable && to.write(chunk)));
      from.on("end", () => later(() => to.end()));
      from.on("error", () => to.destroy());
      from.on("close", () => {
        sockets.delete(from);
        later(() => to.destroy());
      });
    }
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  const address = server.address();
  if (address === null || typeof address === "string") throw new Error("no port was given");
  return {
    port: address.port,
    connections: () => connections,
    close: async () => {
      for (const socket of sockets) socket.destroy();
      await new Promise((resolve) => server.close(resolve));
    },
  };
}
