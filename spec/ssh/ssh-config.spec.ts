import { mkdir, writeFile } from "node:fs/promises";
import { userInfo } from "node:os";
import { join } from "node:path";
import * as assert from "uvu/assert";
import { isSidecanaryError } from "../../runtime/errors.ts";
import { type SshConfigQuery, sshSettings } from "../../runtime/ssh/ssh-config.ts";
import { suite } from "../harness.ts";
import { tempDir } from "../kit/temp-dir.ts";

const test = suite("sshSettings()");

/** A home with these files below `.ssh`, and no ssh program. */
async function home(files: Readonly<Record<string, string>>) {
  const dir = await tempDir();
  for (const [name, text] of Object.entries(files)) {
    await mkdir(join(dir, ".ssh", name, ".."), { recursive: true });
    await writeFile(join(dir, ".ssh", name), text);
  }
  const query = (host: string, more: Partial<SshConfigQuery> = {}): SshConfigQuery => ({
    host,
    env: {},
    home: dir,
    configFile: join(dir, ".ssh", "config"),
    program: join(dir, "no-such-ssh"),
    signal: new AbortController().signal,
    ...more,
  });
  return { dir, query };
}

async function refusal(query: SshConfigQuery): Promise<string> {
  try {
    await sshSettings(query);
  } catch (error) {
    if (!isSidecanaryError(error, "host-failed")) throw error;
    assert.is(error.details.fault, "config");
    assert.is(error.details.kind, "never");
    return error.message;
  }
  throw new Error("the configuration was taken");
}

test("sshSettings() of a host that nothing is said of are ssh's defaults", async () => {
  const { dir, query } = await home({ config: "" });
  assert.equal(await sshSettings(query("build1", { env: { SSH_AUTH_SOCK: "/run/agent" } })), {
    hostName: "build1",
    user: userInfo().username,
    port: 22,
    identityFiles: ["id_rsa", "id_ecdsa", "id_ed25519"].map((name) => join(dir, ".ssh", name)),
    identitiesOnly: false,
    agent: "/run/agent",
    proxyJump: [],
    userKnownHostsFiles: ["known_hosts", "known_hosts2"].map((name) => join(dir, ".ssh", name)),
    globalKnownHostsFiles: ["/etc/ssh/ssh_known_hosts", "/etc/ssh/ssh_known_hosts2"],
    hostKeyAlias: undefined,
    strictHostKeyChecking: "yes",
    hashKnownHosts: false,
    connectTimeoutMs: undefined,
  });
});

test("sshSettings() takes every keyword, and replaces tokens", async () => {
  const { dir, query } = await home({
    config: `
Host b*
  HostName %h.example.com
  User deploy
  Port 2222
  IdentityFile "~/my keys/%n"
  IdentityFile ~/.ssh/%r@%h:%p%%
  IdentitiesOnly yes
  IdentityAgent \${AGENTS}/sock
  ProxyJump first, me@second:2200
  UserKnownHostsFile ~/a "~/b c"
  GlobalKnownHostsFile none
  HostKeyAlias farm
  StrictHostKeyChecking accept-new
  HashKnownHosts yes
  ConnectTimeout 7
`,
  });
  assert.equal(await sshSettings(query("build1", { env: { AGENTS: "/run/agents" } })), {
    hostName: "build1.example.com",
    user: "deploy",
    port: 2222,
    identityFiles: [
      join(dir, "my keys/build1"),
      join(dir, ".ssh/deploy@build1.example.com:2222%"),
    ],
    identitiesOnly: true,
    agent: "/run/agents/sock",
    proxyJump: ["first", "me@second:2200"],
    userKnownHostsFiles: [join(dir, "a"), join(dir, "b c")],
    globalKnownHostsFiles: [],
    hostKeyAlias: "farm",
    strictHostKeyChecking: "accept-new",
    hashKnownHosts: true,
    connectTimeoutMs: 7000,
  });
});

test("sshSettings() lets the user and the port that are given win", async () => {
  const { query } = await home({ config: "User a\nPort 1\n" });
  const settings = await sshSettings(query("h", { user: "b", port: 2 }));
  assert.is(settings.user, "b");
  assert.is(settings.port, 2);
});

test("sshSettings() takes the first value of a keyword", async () => {
  const { query } = await home({ config: "Host h\n  Port 1\nHost *\n  Port 2\n  User late\n" });
  const settings = await sshSettings(query("h"));
  assert.is(settings.port, 1);
  assert.is(settings.user, "late");
});

test("sshSettings() refuses a ProxyCommand, but not the one that is none", async () => {
  const { query } = await home({
    config: "Host a\n  ProxyCommand nc %h %p\nHost b\n  ProxyCommand none\n  ProxyJump none\n",
  });
  assert.match(await refusal(query("a")), "by a ProxyCommand, which is not supported");
  assert.equal((await sshSettings(query("b"))).proxyJump, []);
});

test("sshSettings() without ssh reads what is included, and goes on outside of any block", async () => {
  const { query } = await home({
    config: "Include config.d/*.conf\nUser top\nHost x\n  Port 7\n",
    "config.d/1.conf": "Host a\n  Port 1\n  IdentityFile ~/a\n",
    "config.d/2.conf": "Include more\n",
    "config.d/3.txt": "Port 9\n",
    more: "Host b\n  Port 2\n",
  });
  assert.is((await sshSettings(query("a"))).port, 1);
  assert.is((await sshSettings(query("b"))).port, 2);
  assert.is((await sshSettings(query("x"))).port, 7);
  for (const host of ["a", "b", "x"]) assert.is((await sshSettings(query(host))).user, "top");
});

test("sshSettings() without ssh says what only ssh can tell, and runs nothing", async () => {
  const of = async (config: string) => refusal((await home({ config })).query("h"));
  assert.match(
    await of('Match exec "touch pwned"\n  Port 1\n'),
    '"Match exec", which only the ssh',
  );
  assert.match(await of("Match final all\n  Port 1\n"), '"Match final"');
  assert.match(await of("Host h\n  Include more\n"), "Include inside of a Host block");
  assert.match(await of("Include config\n"), "includes itself");
  assert.match(await of("Include */more\n"), "needs the ssh program");
});

test("sshSettings() fails where a configuration that was named is not there", async () => {
  const { dir, query } = await home({});
  assert.match(await refusal(query("h", { configFile: join(dir, "none") })), "no configuration");
});
