import { execFile } from "node:child_process";
import { mkdir, readdir, readFile, writeFile } from "node:fs/promises";
import { join } from "node:path";
import process from "node:process";
import { promisify } from "node:util";
import * as assert from "uvu/assert";
import { systemClock } from "../../../runtime/clock.ts";
import { isSidecanaryError, type SidecanaryError } from "../../../runtime/errors.ts";
import { formatHostName } from "../../../runtime/sidecars/host-name.ts";
import type { HostProvider, HostRef } from "../../../runtime/sidecars/host-provider.ts";
import { createSshHosts, type SshHostsOptions } from "../../../runtime/sidecars/ssh/ssh-hosts.ts";
import { suite } from "../../harness.ts";
import { until } from "../../kit/processes.ts";
import { startAgent } from "../../kit/ssh-agent.ts";
import { type MadeKey, makeKey, type Sshd, startSshd } from "../../kit/sshd.ts";
import { tempDir } from "../../kit/temp-dir.ts";
import { run } from "../host-contract.ts";

const test = suite("createSshHosts() with OpenSSH");
const shell = promisify(execFile);
const { signal } = new AbortController();
const closing: (() => unknown)[] = [];

test.after.each(async () => {
  for (const close of closing.splice(0).reverse()) await close();
});

async function server(key: MadeKey, config: readonly string[] = []): Promise<Sshd> {
  const made = await startSshd({ authorizedKeys: [key.publicLine], config });
  closing.push(() => made.stop());
  return made;
}

async function provider(
  lines: readonly string[],
  more: Partial<SshHostsOptions> = {},
): Promise<HostProvider> {
  const home = await tempDir();
  const configFile = join(home, "config");
  await writeFile(configFile, `${lines.join("\n")}\n`);
  const env = { PATH: process.env["PATH"] };
  const hosts = createSshHosts({
    targets: ["ssh://build"],
    env,
    home,
    configFile,
    clock: systemClock,
    ...more,
  });
  closing.push(() => hosts.close());
  return hosts;
}

async function known(...servers: readonly Sshd[]): Promise<string> {
  const file = join(await tempDir(), "known_hosts");
  await writeFile(file, servers.map((each) => each.knownHosts()).join(""));
  return `UserKnownHostsFile ${file}`;
}

function ref(hosts: HostProvider): Promise<HostRef> {
  const owner = "abcd1234", index = 0, expiresAt = 1_900_000_000_000;
  const name = formatHostName({ owner, run: "r1", index, expiresAt });
  return hosts.create({ name, index, expiresAt }, signal);
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

test("connect() goes through a second sshd, with a key of its own for each", async () => {
  const [outerKey, innerKey] = [await makeKey("ed25519"), await makeKey("rsa")];
  const outer = await server(outerKey), inner = await server(innerKey);
  const hosts = await provider([
    await known(outer, inner),
    "GlobalKnownHostsFile none",
    "IdentitiesOnly yes",
    `Host gate\n  HostName 127.0.0.1\n  Port ${outer.port}\n  IdentityFile ${outerKey.path}`,
    `Host build\n  HostName 127.0.0.1\n  Port ${inner.port}\n  IdentityFile ${innerKey.path}`,
    "  ProxyJump gate",
  ]);
  const host = await hosts.connect(await ref(hosts), signal);
  const { exit } = await run(host, "exit 9");
  assert.equal(exit, { kind: "exit", code: 9 });
  assert.match(outer.log(), `direct-tcpip`);
  await host.close();
  await until("both have seen the end", () => {
    return outer.sessions().length === 0 && inner.sessions().length === 0;
  });
}, { timeoutMs: 30_000 });

test("connect() through a server that forwards nothing says so for good", async () => {
  const key = await makeKey("ed25519");
  const outer = await server(key, ["AllowTcpForwarding no"]), inner = await server(key);
  const hosts = await provider([
    await known(outer, inner),
    `IdentityFile ${key.path}`,
    "IdentitiesOnly yes",
    `Host gate\n  HostName 127.0.0.1\n  Port ${outer.port}`,
    `Host build\n  HostName 127.0.0.1\n  Port ${inner.port}\n  ProxyJump gate`,
  ]);
  const error = await failure(hosts.connect(await ref(hosts), signal));
  assert.is(error.details.fault, "channel-prohibited");
  assert.is(error.details.kind, "never");
  await until("the jump is closed", () => outer.sessions().length === 0);
});

test("connect() has the agent sign for an encrypted file whose key it holds", async () => {
  const key = await makeKey("ed25519");
  const build = await server(key);
  const agent = await startAgent();
  closing.push(() => agent.stop());
  await agent.add((await makeKey("ed25519")).path);
  await agent.add(key.path);
  await shell("ssh-keygen", ["-q", "-p", "-P", "", "-N", "hidden", "-f", key.path]);
  const lines = [
    await known(build),
    `IdentityFile ${key.path}`,
    "IdentitiesOnly yes",
    `Host build\n  HostName 127.0.0.1\n  Port ${build.port}`,
  ];
  const hosts = await provider([...lines, `  IdentityAgent ${agent.socket}`]);
  const host = await hosts.connect(await ref(hosts), signal);
  assert.equal((await run(host, "exit 8")).exit, { kind: "exit", code: 8 });
  const without = await provider([...lines, "  IdentityAgent none"]);
  const error = await failure(without.connect(await ref(without), signal));
  assert.is(error.details.fault, "bad-key");
  assert.match(error.message, "is encrypted, and there is no passphrase for it");
  const given = await provider([...lines, "  IdentityAgent none"], { passphrase: () => "hidden" });
  await given.connect(await ref(given), signal);
}, { timeoutMs: 30_000 });

test(
  "connect() with acceptNew adds a line that ssh trusts, hashed where it is told so",
  async () => {
    const key = await makeKey("ed25519");
    const build = await server(key);
    const file = join(await tempDir(), "known_hosts");
    const hosts = await provider([
      `UserKnownHostsFile ${file}`,
      "HashKnownHosts yes",
      `IdentityFile ${key.path}`,
      "IdentitiesOnly yes",
      `Host build\n  HostName 127.0.0.1\n  Port ${build.port}`,
    ], { acceptNew: true });
    await hosts.connect(await ref(hosts), signal);
    assert.not.match(await readFile(file, "utf8"), "127.0.0.1");
    const strict = ["-o", "StrictHostKeyChecking=yes", "-o", `UserKnownHostsFile=${file}`];
    const port = ["-p", String(build.port)];
    const login = ["-F", "none", "-i", key.path, ...strict, ...port, "127.0.0.1", "echo in"];
    assert.is((await shell("ssh", login)).stdout, "in\n");
  },
  { timeoutMs: 30_000 },
);

test(
  "destroy() removes what an overlay leaves, and first unmounts what root has bound",
  async () => {
    const key = await makeKey("ed25519");
    const build = await server(key, [`SetEnv XDG_CACHE_HOME=${await tempDir()}`]);
    const hosts = await provider([
      await known(build),
      `IdentityFile ${key.path}`,
      "IdentitiesOnly yes",
      `Host build\n  HostName 127.0.0.1\n  Port ${build.port}`,
    ]);
    const mine = await ref(hosts);
    const host = await hosts.connect(mine, signal);
    const cache = (await run(host, 'printf %s "$XDG_CACHE_HOME"')).stdout.toString();
    const dir = join(cache, "sidecanary", mine.name);
    const precious = join(await tempDir(), "precious");
    await mkdir(precious);
    await writeFile(join(precious, "file"), "kept");
    for (const name of ["work/work", "bound dir"]) {
      await mkdir(join(dir, name), {
        recursive: true,
      });
    }
    await shell("chmod", ["000", join(dir, "work/work")]);
    if (process.getuid?.() === 0) {
      const bound = await run(host, `mount --bind '${precious}' '${dir}/bound dir'`);
      assert.equal(bound.exit, { kind: "exit", code: 0 });
    }
    assert.equal((await hosts.list(signal)).map(({ name }) => name), [mine.name]);
    await hosts.destroy(mine, signal);
    assert.equal(await readdir(join(cache, "sidecanary")), []);
    assert.equal(await readdir(precious), ["file"]);
  },
  { timeoutMs: 30_000 },
);
