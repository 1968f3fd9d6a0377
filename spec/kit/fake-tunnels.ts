import { Buffer } from "node:buffer";
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { createWebSocketStream, WebSocketServer } from "ws";
import { publicKeyLine } from "../../runtime/ssh/wire.ts";
import type { FakeInstance } from "./fake-circleci.ts";
import { SshServer } from "./ssh-server.ts";

/** Tunnels to real SSH servers on this machine, for the sidecars of a fake CircleCI. */
export interface FakeTunnels {
  /** The address of a sidecar's tunnel; makes its SSH server, or tells it the new keys. */
  tunnelOf(instance: FakeInstance): Promise<string>;
  /** The public host key of a sidecar, as a line. */
  hostKeyOf(id: string): string;
  /** The SSH server of a sidecar. */
  serverOf(id: string): SshServer;
  /** Gives a sidecar a new SSH server, with another host key. */
  replace(instance: FakeInstance): Promise<void>;
  /** Refuses the next dials with these HTTP statuses, one each. */
  refuse(...statuses: readonly number[]): void;
  close(): Promise<void>;
}

interface Behind {
  readonly server: SshServer;
  readonly authorised: Uint8Array[];
}

/** Starts the tunnels: a WebSocket server with a path for each sidecar. */
export async function fakeTunnels(): Promise<FakeTunnels> {
  const behind = new Map<string, Behind>();
  const refusals: number[] = [];
  const http = createServer();
  const sockets = new WebSocketServer({ noServer: true });
  http.on("upgrade", (request, socket, head) => {
    const [, id = ""] = /^\/tunnels\/([^/]+)\/ssh\/tunnel$/.exec(request.url ?? "") ?? [];
    const server = behind.get(id)?.server;
    const status = refusals.shift() ?? (server === undefined ? 404 : undefined);
    if (status !== undefined) return socket.end(`HTTP/1.1 ${status} No\r\n\r\n`);
    sockets.handleUpgrade(request, socket, head, (opened) => {
      server?.inject(createWebSocketStream(opened));
    });
  });
  await new Promise<void>((resolve) => http.listen(0, "127.0.0.1", resolve));
  const { port } = http.address() as AddressInfo;
  const known = (id: string): Behind => {
    const found = behind.get(id);
    if (found === undefined) throw new Error(`${id} has no tunnel`);
    return found;
  };
  const replace = async ({ id }: FakeInstance) => {
    await behind.get(id)?.server.close();
    const authorised: Uint8Array[] = [];
    behind.set(id, { server: await SshServer.listen({ authorised }), authorised });
  };
  return {
    tunnelOf: async (instance) => {
      if (!behind.has(instance.id)) await replace(instance);
      const { authorised } = known(instance.id);
      authorised.splice(0, Infinity, ...instance.keys.map(readKey));
      return `http://127.0.0.1:${port}/tunnels/${instance.id}`;
    },
    hostKeyOf: (id) => publicKeyLine(known(id).server.hostKey),
    serverOf: (id) => known(id).server,
    replace,
    refuse: (...statuses) => void refusals.push(...statuses),
    close: async () => {
      for (const { server } of behind.values()) await server.close();
      for (const socket of sockets.clients) socket.terminate();
      http.closeAllConnections();
      await new Promise((resolve) => http.close(resolve));
    },
  };
}

function readKey(line: string): Uint8Array {
  return Buffer.from(line.split(" ")[1] ?? "", "base64");
}
