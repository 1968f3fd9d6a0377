import { mkdir, readdir, readFile, symlink, writeFile } from "node:fs/promises";
import { spawn } from "node:child_process";
import { join } from "node:path";
import process from "node:process";
import * as assert from "uvu/assert";
import { VirtualClock } from "../../../runtime/engine/virtual-clock.ts";
import { isSidecanaryError, type SidecanaryError } from "../../../runtime/errors.ts";
import { formatHostName } from "../../../runtime/sidecars/host-name.ts";
import type { HostProvider } from "../../../runtime/sidecars/host-provider.ts";
import { createSshHosts, type SshHostsOptions } from "../../../runtime/sidecars/ssh/ssh-hosts.ts";
import { ensureKeyPair, type KeyPair } from "../../../runtime/ssh/ensure-key-pair.ts";
import { publicKeyLine } from "../../../runtime/ssh/wire.ts";
import { suite } from "../../harness.ts";
import { SshServer } from "../../kit/ssh-server.ts";
import { until } from "../../kit/processes.ts";
import { tempDir } from "../../kit/temp-dir.ts";
import { TunnelServer } from "../../kit/tunnel-server.ts";

const test = suite("createSshHosts()");
const { signal } = new AbortController();
const closing: { close(): Promise<void> }[] = [];

test.after.each(async () => {
  for (const each of closing.splice(0).reverse()) await each.close();
});

interface Setup {
  readonly home: string;
  readonly server: SshServer;
  readonly keys: readonly KeyPair[];
  readonly clock: VirtualClock;
  provider(more?: Partial<SshHostsOptions>): HostProvider;
}

/** A server that takes the last of some keys, and a home whose configuration names all of them. */
async function setup(
  { keys: count = 1, known = true, config = "" }: {
    readonly keys?: number;
    readonly known?: boolean;
    readonly config?: string;
  } = {},
): Promise<Setup> {
  const home = await tempDir();
  const keys: KeyPair[] = [];
  for (let at = 0; at < count; at++) keys.push(await ensureKeyPair(join(home, `keys${at}`)));
  const server = await SshServer.listen({
    authorised: keys.slice(-1).map(({ key }) => key.getPublicSSH()),
    env: { HOME: home, XDG_CACHE_HOME: "" },
  });
  closing.push(server);
  const line = `[127.0.0.1]:${server.port} ${publicKeyLine(server.hostKey)}\n`;
  await writeFile(join(home, "known_hosts"), known ? line : "");
  await writeFile(
    join(home, "config"),
    [
      `UserKnownHostsFile ${home}/known_hosts`,
      "GlobalKnownHostsFile none",
      "User tester",
      ...keys.map(({ path }) => `IdentityFile ${path}`),
      config.replaceAll("PORT", String(server.port)),
      "",
    ].join("\n"),
  );
  const clock = new VirtualClock();
  return {
    home,
    server,
    keys,
    clock,
    provider: (more = {}) => {
      const provider = createSshHosts({
        targets: [`ssh://127.0.0.1:${server.port}`],
        env: { PATH: process.env["PATH"] },
        home,
        configFile: join(home, "config"),
        clock,
        ...more,
      });
      closing.push(provider);
      return provider;
    },
  };
}

async function connect(provider: HostProvider, index = 0) {
  const name = nameOf(index);
  const ref = await provider.create({ name, index, expiresAt: 0 }, signal);
  return await provider.connect(ref, signal);
}

function nameOf(index: number): string {
  return formatHostName({ owner: "abcd1234", run: "r1", index, expiresAt: 1_900_000_000_000 });
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

test("connect() logs in with what ssh's configuration says", async () => {
  const { provider } = await setup();
  const host = await connect(provider());
  const exit = await host.exec({ command: "exit 3", signal });
  assert.equal(exit, { kind: "exit", code: 3 });
});

test("connect() to an unknown host fails, and with acceptNew remembers it", async () => {
  const { provider, home, server } = await setup({ known: false });
  const error = await failure(connect(provider()));
  assert.is(error.details.fault, "host-key-unknown");
  assert.is(error.details.kind, "never");
  assert.match(error.message, publicKeyLine(server.hostKey));
  await connect(provider({ acceptNew: true }));
  await connect(provider());
  assert.match(await readFile(join(home, "known_hosts"), "utf8"), publicKeyLine(server.hostKey));
});

test("connect() offers one identity an attempt, the next one six seconds later, and keeps it", async () => {
  const { provider, clock, server } = await setup({ keys: 3 });
  const hosts = provider();
  const waits = () => until("it waits", () => clock.next() === clock.now() + 6000);
  for (let attempt = 1; attempt <= 2; attempt++) {
    const refused = failure(connect(hosts));
    if (attempt > 1) {
      await waits();
      await clock.advance(6000);
    }
    const { details } = await refused;
    assert.is(details.fault, "authentication");
    assert.is(details.kind, "reconnect");
    assert.is(details.retryAfterMs, 6000);
    assert.is(server.accepted, attempt);
  }
  const third = connect(hosts);
  await waits();
  await clock.advance(5999);
  assert.is(server.accepted, 2);
  await clock.advance(1);
  await third;
  await connect(hosts);
  assert.is(server.accepted, 4);
});

test("connect() says which identities were refused when none is left", async () => {
  const { provider, home } = await setup();
  const other = await ensureKeyPair(join(home, "other"));
  const error = await failure(connect(provider({ identityFile: other.path })));
  assert.is(error.details.fault, "authentication");
  assert.is(error.details.kind, "never");
  assert.match(error.message, `Offered: ${other.path}`);
  assert.not.match(error.message, "tester");
});

test("SSH key not found: connect() passes over a key that cannot be read, unless it was named", async () => {
  const { provider, keys: [broken] } = await setup({ keys: 2 });
  await writeFile(broken?.path ?? "", "not a key");
  await connect(provider());
  const error = await failure(connect(provider({ identityFile: broken?.path ?? "" })));
  assert.is(error.details.fault, "bad-key");
});

test("connect() goes through the jumps of ssh's configuration, and closes them behind it", async () => {
  const { provider, server } = await setup({
    config: "Host inner\n  HostName 127.0.0.1\n  Port PORT\n  ProxyJump gate\n" +
      "Host gate\n  HostName 127.0.0.1\n  Port PORT\n",
  });
  const host = await connect(provider({ targets: ["ssh://inner"] }));
  assert.equal(await host.exec({ command: "exit 4", signal }), { kind: "exit", code: 4 });
  assert.is(server.open, 2);
  await host.close();
  assert.is(await host.closed, undefined);
});

test("connect() refuses jumps that form a loop", async () => {
  const { provider } = await setup({
    config: "Host a\n  ProxyJump b\nHost b\n  ProxyJump a\n",
  });
  const error = await failure(connect(provider({ targets: ["ssh://a"] })));
  assert.is(error.details.fault, "config");
  assert.match(error.message, "do they form a loop?");
});

test("connect() goes through a WebSocket that was named", async () => {
  const { provider, home, server } = await setup();
  const tunnel = await TunnelServer.listen({ onStream: (stream) => server.inject(stream) });
  closing.push(tunnel);
  const { port } = new URL(tunnel.url);
  const line = `[127.0.0.1]:${port} ${publicKeyLine(server.hostKey)}\n`;
  await writeFile(join(home, "known_hosts"), line);
  const host = await connect(provider({ targets: [`ws://tester@127.0.0.1:${port}/ssh/tunnel`] }));
  assert.equal(await host.exec({ command: "exit 5", signal }), { kind: "exit", code: 5 });
});

test("find() and create() give the target of the index, and none beyond", async () => {
  const { provider } = await setup();
  const hosts = provider({ targets: ["ssh://token@one", "ssh://two:2222"] });
  assert.is(hosts.capacity, 2);
  assert.is(hosts.describe(), "ssh to one and two:2222");
  const found = await hosts.find(nameOf(1), signal);
  assert.equal(found, await hosts.create({ name: nameOf(1), index: 1, expiresAt: 0 }, signal));
  assert.is(found?.address, "two:2222");
  assert.is(await hosts.find(nameOf(2), signal), undefined);
  assert.is(await hosts.find("not-ours", signal), undefined);
  const refused = hosts.create({ name: nameOf(2), index: 2, expiresAt: 0 }, signal);
  assert.is((await failure(refused)).details.fault, "limit-reached");
  assert.not.match(JSON.stringify(await hosts.find(nameOf(0), signal)), "token");
});

test("connect() to a host that is not named any more fails for good", async () => {
  const { provider } = await setup();
  const ref = await provider({ targets: ["ssh://gone"] }).find(nameOf(0), signal);
  assert.ok(ref);
  const error = await failure(provider().connect(ref, signal));
  assert.is(error.details.fault, "not-found");
  assert.is(error.details.kind, "never");
});

test("list() answers folders of ours, and destroy() removes one with what it runs", async () => {
  const { provider, home } = await setup();
  const root = join(home, ".cache", "sidecanary");
  const mine = nameOf(0), other = nameOf(1);
  for (const name of [mine, other, "sidecanary-not-a-name", "else"]) {
    await mkdir(join(root, name, "deep", "er"), { recursive: true });
  }
  await symlink(home, join(root, nameOf(2)));
  await mkdir(join(root, mine, "locked"), { mode: 0 });
  const child = spawn("sleep", ["1000"], { detached: true, stdio: "ignore" });
  const ended = new Promise((resolve) => child.once("exit", resolve));
  await writeFile(join(root, mine, "watch.pid"), `${child.pid}\n`);
  await writeFile(join(root, mine, "destroy.sh"), `echo "$0" >'${home}/destroyed'\n`);
  const hosts = provider();
  const refs = await hosts.list(signal);
  assert.equal(refs.map(({ name }) => name).sort(), [mine, other].sort());
  const ref = refs.find(({ name }) => name === mine);
  assert.ok(ref);
  await hosts.destroy(ref, signal);
  await ended;
  assert.equal(
    (await readdir(root)).sort(),
    [
      "else",
      other,
      nameOf(2),
      "sidecanary-not-a-name",
    ].sort(),
  );
  assert.is(await readFile(join(home, "destroyed"), "utf8"), `${join(root, mine)}/destroy.sh\n`);
  await hosts.destroy(ref, signal);
});

test("destroy() spares a process that began after its number was written", async () => {
  const { provider, home } = await setup();
  const dir = join(home, ".cache", "sidecanary", nameOf(0));
  await mkdir(dir, { recursive: true });
  const child = spawn("sleep", ["1000"], { detached: true, stdio: "ignore" });
  const { pid = 0 } = child;
  await writeFile(join(dir, "pid"), `${pid} 12345\n`);
  const hosts = provider();
  const [ref] = await hosts.list(signal);
  assert.ok(ref);
  await hosts.destroy(ref, signal);
  assert.equal(await hosts.list(signal), []);
  const ended = new Promise((resolve) => child.once("exit", (_, name) => resolve(name)));
  assert.ok(process.kill(pid, "SIGTERM"));
  assert.is(await ended, "SIGTERM");
});

test("destroy() touches no folder of another name", async () => {
  const { provider } = await setup();
  const hosts = provider();
  const ref = await hosts.find(nameOf(0), signal);
  assert.ok(ref);
  for (const name of ["..", "sidecanary-x", "a'; rm -rf /; '", ""]) {
    const error = await failure(hosts.destroy({ ...ref, name }, signal));
    assert.is(error.details.fault, "bad-request");
  }
});

test("createSshHosts() refuses malformed targets, and none at all", () => {
  const make = (targets: string[]) => () =>
    createSshHosts({ targets, env: {}, clock: new VirtualClock() });
  assert.throws(make([]), "There is no ssh host");
  assert.throws(make(["ssh://h?lanes=x"]), "lanes=x");
});
