import { Buffer } from "node:buffer";
import { execFile } from "node:child_process";
import { readFile, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { promisify } from "node:util";
import * as assert from "uvu/assert";
import { systemClock } from "../../runtime/clock.ts";
import { isSidecanaryError, type SidecanaryError } from "../../runtime/errors.ts";
import { connectSsh } from "../../runtime/ssh/connect-ssh.ts";
import { dialTcp } from "../../runtime/ssh/dial-tcp.ts";
import { ensureKeyPair } from "../../runtime/ssh/ensure-key-pair.ts";
import { hashName, namesMatch } from "../../runtime/ssh/known-hosts-file.ts";
import { knownHostsPolicy } from "../../runtime/ssh/known-hosts.ts";
import { readKey } from "../../runtime/ssh/read-key.ts";
import type { SshHost } from "../../runtime/ssh/ssh-host.ts";
import type { SshIdentity } from "../../runtime/ssh/ssh-identity.ts";
import { fingerprint } from "../../runtime/ssh/wire.ts";
import { suite } from "../harness.ts";
import { until } from "../kit/processes.ts";
import { startAgent } from "../kit/ssh-agent.ts";
import {
  type KeyTypeName,
  type MadeKey,
  makeKey,
  type Sshd,
  type SshdOptions,
  startSshd,
} from "../kit/sshd.ts";
import { tempDir } from "../kit/temp-dir.ts";
import { hostContract, run } from "../sidecars/host-contract.ts";

const test = suite("OpenSSH");
const shell = promisify(execFile);
const { signal } = new AbortController();
const clock = systemClock;
const servers: Sshd[] = [];
const hosts: SshHost[] = [];

test.after.each(async () => {
  for (const host of hosts.splice(0)) await host.close();
  for (const server of servers.splice(0)) await server.stop();
});

/** A server that takes one key, and the key. */
async function start(options: SshdOptions = {}): Promise<{ server: Sshd; key: MadeKey }> {
  const key = await makeKey("ed25519");
  const server = await startSshd({ authorizedKeys: [key.publicLine], ...options });
  servers.push(server);
  return { server, key };
}

interface Login {
  readonly identity: SshIdentity | MadeKey;
  /** The text of known_hosts. @default the server's own keys */
  readonly known?: string;
  readonly username?: string;
}

async function policyOf(server: Sshd, known = server.knownHosts()) {
  const file = join(await tempDir(), "known_hosts");
  await writeFile(file, known);
  return await knownHostsPolicy({ host: server.host, port: server.port, userFiles: [file] });
}

async function login(server: Sshd, { identity, known, username }: Login): Promise<SshHost> {
  const hostKey = await policyOf(server, known);
  const host = await connectSsh({
    stream: await dialTcp({ host: server.host, port: server.port, signal, clock }),
    name: "openssh",
    username: username ?? server.user,
    identity: "path" in identity ? { kind: "key", key: await readKey(identity.path) } : identity,
    hostKey,
    signal,
    clock,
  });
  hosts.push(host);
  return host;
}

async function failure(promise: Promise<unknown>): Promise<SidecanaryError<"host-failed">> {
  try {
    await promise;
  } catch (error) {
    if (isSidecanaryError(error, "host-failed")) return error;
    throw error;
  }
  throw new Error("it came to be");
}

test("ssh-keygen's fingerprints are ours, and it reads the key pair that we make", async () => {
  const { path, key, publicLine } = await ensureKeyPair(join(await tempDir(), "keys"));
  assert.is(
    (await shell("ssh-keygen", ["-y", "-f", path])).stdout.trim(),
    `${publicLine} sidecanary`,
  );
  const { stdout } = await shell("ssh-keygen", ["-l", "-f", path]);
  assert.is(stdout.split(" ")[1], fingerprint(key.getPublicSSH()));
});

test("ssh-keygen -H hashes names as we do, and -F finds those that we hash", async () => {
  const { publicLine } = await makeKey("ed25519");
  const file = join(await tempDir(), "known_hosts");
  await writeFile(file, `build1 ${publicLine}\n[build2]:2222 ${publicLine}\n`);
  await shell("ssh-keygen", ["-q", "-H", "-f", file]);
  const [one = "", two = ""] = (await readFile(file, "utf8")).split("\n");
  assert.match(one, /^\|1\|/);
  assert.ok(namesMatch(one.split(" ")[0] ?? "", "build1"));
  assert.ok(namesMatch(two.split(" ")[0] ?? "", "[build2]:2222"));
  await writeFile(file, `${hashName("build3", new Uint8Array(20).fill(7))} ${publicLine}\n`);
  const { stdout } = await shell("ssh-keygen", ["-F", "build3", "-f", file]);
  assert.match(stdout, "Host build3 found: line 1");
});

test("every ecdsa key of ssh-keygen signs", async () => {
  for (let at = 0; at < 20; at++) {
    const key = await readKey((await makeKey("ecdsa")).path);
    const message = Buffer.from(`${at}`);
    assert.ok(key.verify(message, key.sign(message)) === true);
  }
});

for (const type of ["ed25519", "ecdsa", "rsa"] as const satisfies readonly KeyTypeName[]) {
  test(`a login and a command, with host key and user's key of type ${type}`, async () => {
    const identity = await makeKey(type);
    const server = await startSshd({ hostKeys: [type], authorizedKeys: [identity.publicLine] });
    servers.push(server);
    const host = await login(server, { identity });
    const { exit, stdout } = await run(host, "id -un");
    assert.equal(exit, { kind: "exit", code: 0 });
    assert.is(stdout.toString().trim(), server.user);
  }, { timeoutMs: 30_000 });

  test(`an encrypted key of type ${type} logs in`, async () => {
    const made = await makeKey(type, "open sesame");
    const server = await startSshd({ authorizedKeys: [made.publicLine] });
    servers.push(server);
    const key = await readKey(made.path, { passphrase: () => "open sesame" });
    await login(server, { identity: { kind: "key", key } });
    const error = await failure(readKey(made.path, { passphrase: () => "guess" }));
    assert.is(error.details.fault, "bad-key");
  }, { timeoutMs: 30_000 });
}

test("a host of which only the ecdsa key is known shows that one", async () => {
  const { server, key } = await start({ hostKeys: ["ed25519", "rsa", "ecdsa"] });
  for (const type of ["ecdsa", "rsa", "ed25519"] as const) {
    await login(server, { identity: key, known: server.knownHosts(type) });
  }
  const error = await failure(login(server, { identity: key, known: "" }));
  assert.is(error.details.fault, "host-key-unknown");
}, { timeoutMs: 30_000 });

test("a host that is known by a name hashed by ssh-keygen is trusted", async () => {
  const { server, key } = await start();
  const file = join(await tempDir(), "known_hosts");
  await writeFile(file, server.knownHosts());
  await shell("ssh-keygen", ["-q", "-H", "-f", file]);
  const known = await readFile(file, "utf8");
  assert.not.match(known, "127.0.0.1");
  await login(server, { identity: key, known });
});

test("a host whose key has changed is refused before anything secret is sent", async () => {
  const { server, key } = await start();
  const other = await makeKey("ed25519");
  const known = `[127.0.0.1]:${server.port} ${other.publicLine}\n`;
  const error = await failure(login(server, { identity: key, known }));
  assert.is(error.details.fault, "host-key-changed");
  assert.is(error.details.kind, "never");
  await until("the server has seen the end", () => /Connection (closed|reset)/.test(server.log()));
  assert.not.match(server.log(), "userauth-request");
  assert.not.match(server.log(), "SSH2_MSG_NEWKEYS received");
});

test("an agent signs, and of many keys only the one that was asked for is offered", async () => {
  const { server, key } = await start({ config: ["MaxAuthTries 2"] });
  const agent = await startAgent();
  try {
    for (let at = 0; at < 7; at++) await agent.add((await makeKey("ed25519")).path);
    await agent.add(key.path);
    const { key: half } = { key: await readKey(key.path) };
    const identity = {
      kind: "agent",
      socket: agent.socket,
      publicKey: half.getPublicSSH(),
    } as const;
    const host = await login(server, { identity });
    assert.equal((await run(host, "exit 6")).exit, { kind: "exit", code: 6 });
    const first = await failure(
      login(server, { identity: { kind: "agent", socket: agent.socket } }),
    );
    assert.is(first.details.fault, "authentication");
  } finally {
    agent.stop();
  }
}, { timeoutMs: 30_000 });

test("a key that is not authorised is an authentication failure, not a closed connection", async () => {
  const { server } = await start();
  const error = await failure(login(server, { identity: await makeKey("ed25519") }));
  assert.is(error.details.fault, "authentication");
  assert.not.match(error.message, server.user === "root" ? "as root" : server.user);
});

test("forty commands at once all run where ten sessions are allowed", async () => {
  const { server, key } = await start({ config: ["MaxSessions 10"] });
  const host = await login(server, { identity: key });
  const all = Array.from({ length: 40 }, async (_, at) => {
    const { exit, stdout } = await run(host, `echo ${at}; exit ${at}`);
    assert.equal(exit, { kind: "exit", code: at });
    assert.is(stdout.toString(), `${at}\n`);
  });
  await Promise.all(all);
}, { timeoutMs: 60_000 });

test("forty commands at once all run where two sessions are allowed", async () => {
  const { server, key } = await start({ config: ["MaxSessions 2"] });
  const host = await login(server, { identity: key });
  const all = Array.from({ length: 40 }, async (_, at) => {
    assert.equal((await run(host, `exit ${at}`)).exit, { kind: "exit", code: at });
  });
  await Promise.all(all);
}, { timeoutMs: 60_000 });

test("a connection that MaxStartups drops is to be tried again", async () => {
  const { server, key } = await start({ config: ["MaxStartups 1:100:1"] });
  // One connection that never logs in takes the only place.
  const idle = await dialTcp({ host: server.host, port: server.port, signal, clock });
  await until("the place is taken", () => server.sessions().length === 1);
  const error = await failure(login(server, { identity: key }));
  // It says "Exceeded MaxStartups" where a banner should be.
  assert.is(error.details.fault, "not-ssh");
  assert.is(error.details.kind, "while-booting");
  idle.destroy();
  await until("the place is free", () => server.sessions().length === 0);
  await login(server, { identity: key });
});

test("a server process that is killed in the middle of a command is a lost connection", async () => {
  const { server, key } = await start();
  const host = await login(server, { identity: key });
  let said = "";
  const going = host.exec({
    command: "echo begun; sleep 100",
    onStdout: (chunk) => said += String.fromCharCode(...chunk),
    signal,
  });
  await until("the command has begun", () => said === "begun\n");
  server.cut();
  const error = await failure(going);
  assert.is(error.details.kind, "reconnect");
  assert.ok(await host.closed instanceof Error);
  assert.is((await failure(host.exec({ command: "true", signal }))).details.kind, "reconnect");
});

test("a machine that boots lets its users in and then runs no command: 254", async () => {
  const key = await makeKey("ed25519");
  const server = await startSshd({
    authorizedKeys: [key.publicLine],
    etc: { nologin: "System is booting up.\n" },
  });
  servers.push(server);
  const host = await login(server, { identity: key, username: "nobody" });
  const { exit, stderr } = await run(host, "true");
  assert.equal(exit, { kind: "exit", code: 254 });
  assert.match(stderr.toString(), "System is booting up.");
});

test("a user who may not log in is an authentication failure", async () => {
  const { server, key } = await start({ config: ["DenyUsers *"] });
  const error = await failure(login(server, { identity: key }));
  assert.is(error.details.fault, "authentication");
  const none = await failure(login(server, { identity: key, username: "no-such-user" }));
  assert.is(none.details.fault, "authentication");
});

hostContract("OpenSSH", async () => {
  const key = await makeKey("ed25519");
  const server = await startSshd({ authorizedKeys: [key.publicLine] });
  const host = await connectSsh({
    stream: await dialTcp({ host: server.host, port: server.port, signal, clock }),
    name: "openssh",
    username: server.user,
    identity: { kind: "key", key: await readKey(key.path) },
    hostKey: await policyOf(server),
    signal,
    clock,
  });
  return {
    host,
    lose: () => server.cut(),
    end: () => server.stop(),
  };
});
