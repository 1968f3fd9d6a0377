import { generateKeyPairSync } from "node:crypto";
import * as assert from "uvu/assert";
import { systemClock } from "../../runtime/clock.ts";
import { algorithmsFor } from "../../runtime/ssh/algorithms.ts";
import { connectSsh } from "../../runtime/ssh/connect-ssh.ts";
import type { HostKeyPolicy } from "../../runtime/ssh/host-key-policy.ts";
import type { SshHost } from "../../runtime/ssh/ssh-host.ts";
import type { SshIdentity } from "../../runtime/ssh/ssh-identity.ts";
import { suite } from "../harness.ts";
import { AgentServer } from "../kit/agent-server.ts";
import { newKey, newKeyPem, SshServer, type SshServerOptions } from "../kit/ssh-server.ts";
import { run } from "../sidecars/host-contract.ts";
import { faultAndKind } from "./faults.ts";

const test = suite("identities and host keys");
const { signal } = new AbortController();
const closers: (() => Promise<unknown>)[] = [];

test.after.each(async () => {
  for (const close of closers.splice(0)) await close();
});

async function serverOf(options: SshServerOptions): Promise<SshServer> {
  const server = await SshServer.listen(options);
  closers.push(() => server.close());
  return server;
}

async function agentOf(...keys: Parameters<typeof AgentServer.listen>[0]): Promise<AgentServer> {
  const agent = await AgentServer.listen(keys);
  closers.push(() => agent.close());
  return agent;
}

async function connect(
  server: SshServer,
  identity: SshIdentity,
  hostKey: HostKeyPolicy = server.policy,
): Promise<SshHost> {
  const stream = await server.dial();
  const { username } = server;
  const host = await connectSsh({
    stream,
    name: "box",
    username,
    identity,
    hostKey,
    signal,
    clock: systemClock,
  });
  closers.unshift(() => host.close());
  return host;
}

test("an agent's first key logs in, and the agent signs once", async () => {
  const [first, second] = [newKey(), newKey()];
  const agent = await agentOf(first, second);
  const server = await serverOf({ authorised: [first.getPublicSSH()] });
  const host = await connect(server, { kind: "agent", socket: agent.socket });
  assert.equal((await run(host, "true")).exit, { kind: "exit", code: 0 });
  assert.equal(agent.signed, [first.getPublicSSH().toString("base64")]);
});

test("of an agent's keys the one that is named is offered, and no other", async () => {
  const [first, second] = [newKey(), newKey()];
  const agent = await agentOf(first, second);
  const server = await serverOf({ authorised: [second.getPublicSSH()] });
  const named = { kind: "agent", socket: agent.socket, publicKey: second.getPublicSSH() } as const;
  await connect(server, named);
  assert.is(server.offers.length > 0, true);
  const offered = new Set(server.offers);
  assert.equal([...offered], [second.getPublicSSH().toString("base64")]);
  const unnamed = { kind: "agent", socket: agent.socket } as const;
  assert.is(await faultAndKind(connect(server, unnamed)), "authentication while-booting");
});

test("a key that the agent does not hold is authentication, while-booting", async () => {
  const agent = await agentOf(newKey());
  const server = await serverOf({});
  const publicKey = newKey().getPublicSSH();
  const identity = { kind: "agent", socket: agent.socket, publicKey } as const;
  assert.is(await faultAndKind(connect(server, identity)), "authentication while-booting");
});

test("the host shows the key of the type that is known, though it has a better one", async () => {
  const rsa = generateKeyPairSync("rsa", { modulusLength: 2048 }).privateKey
    .export({ type: "pkcs1", format: "pem" }).toString();
  const ecdsa = generateKeyPairSync("ec", { namedCurve: "prime256v1" }).privateKey
    .export({ type: "sec1", format: "pem" }).toString();
  const server = await serverOf({ hostKeys: [newKeyPem(), ecdsa, rsa] });
  const shown: string[] = [];
  const orders = [[], ["ecdsa-sha2-nistp256"], ["rsa-sha2-512", "rsa-sha2-256"], ["sk-unknown"]];
  for (const algorithms of orders) {
    const verify = (key: Uint8Array) => {
      shown.push(Buffer.from(key).toString("latin1", 4, 4 + Buffer.from(key).readUInt32BE(0)));
      return { ok: true } as const;
    };
    await connect(server, server.identity, { algorithms, verify });
  }
  assert.equal(shown, ["ssh-ed25519", "ecdsa-sha2-nistp256", "ssh-rsa", "ssh-ed25519"]);
});

test("algorithmsFor() offers neither compression, nor group exchange, nor SHA-1", () => {
  const all = Object.values(algorithmsFor(["ssh-rsa", "ssh-dss"])).flat().map(String);
  for (const name of all) {
    assert.not.match(name, /zlib|group-exchange|sha1|ssh-rsa|ssh-dss|cbc/);
  }
  assert.is(all.includes("ecdh-sha2-nistp521"), false);
});
