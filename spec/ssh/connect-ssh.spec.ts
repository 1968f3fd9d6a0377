import { systemClock } from "../../runtime/clock.ts";
import { connectSsh } from "../../runtime/ssh/connect-ssh.ts";
import { dialTcp } from "../../runtime/ssh/dial-tcp.ts";
import { dialTunnel } from "../../runtime/ssh/dial-tunnel.ts";
import { SshServer } from "../kit/ssh-server.ts";
import { TunnelServer } from "../kit/tunnel-server.ts";
import { hostContract } from "../sidecars/host-contract.ts";

const { signal } = new AbortController();
const clock = systemClock;

hostContract("ssh over tcp", async () => {
  const server = await SshServer.listen();
  const { host: address, port, identity, username, policy: hostKey } = server;
  const stream = await dialTcp({ host: address, port, signal, clock });
  const name = "ssh";
  const host = await connectSsh({ stream, name, username, identity, hostKey, signal, clock });
  return { host, lose: () => server.drop("reset"), end: () => server.close() };
});

hostContract("ssh over a websocket", async () => {
  const server = await SshServer.listen();
  const tunnel = await TunnelServer.listen({ onStream: (stream) => server.inject(stream) });
  const { identity, username, policy: hostKey } = server;
  const stream = await dialTunnel({ url: tunnel.url, signal, clock });
  const name = "tunnel";
  const host = await connectSsh({ stream, name, username, identity, hostKey, signal, clock });
  return {
    host,
    lose: () => tunnel.drop(),
    end: async () => {
      await tunnel.close();
      await server.close();
    },
  };
});
