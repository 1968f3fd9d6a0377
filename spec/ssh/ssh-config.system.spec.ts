import { mkdir, writeFile } from "node:fs/promises";
import { join } from "node:path";
import process from "node:process";
import * as assert from "uvu/assert";
import { isSidecanaryError } from "../../runtime/errors.ts";
import { type SshConfigQuery, sshSettings } from "../../runtime/ssh/ssh-config.ts";
import { suite } from "../harness.ts";
import { tempDir } from "../kit/temp-dir.ts";

const test = suite("sshSettings() by ssh -G");
const { signal } = new AbortController();

async function query(config: string): Promise<(host: string) => SshConfigQuery> {
  const home = await tempDir();
  await mkdir(join(home, ".ssh"));
  const configFile = join(home, "config");
  await writeFile(configFile, config.replaceAll("HOME", home));
  await writeFile(join(home, "more"), "Host included\n  Port 77\n");
  const env = { PATH: process.env["PATH"], AGENTS: "/run/agents", SSH_AUTH_SOCK: "/run/agent" };
  return (host) => ({ host, env, home, configFile, signal });
}

const CONFIG = `
Include HOME/more
Host build* !build9
  HostName %h.example.com
  User deploy
  Port 2222
  IdentityFile "HOME/my keys/%n"
  IdentityFile HOME/%r@%h:%p%%
  IdentitiesOnly yes
  IdentityAgent \${AGENTS}/sock
  ProxyJump first,me@second:2200
  UserKnownHostsFile HOME/a "HOME/b c"
  GlobalKnownHostsFile none
  HostKeyAlias farm
  StrictHostKeyChecking accept-new
  HashKnownHosts yes
  ConnectTimeout 7
Host plain
  IdentityFile HOME/key
  UserKnownHostsFile HOME/known
  StrictHostKeyChecking no
  IdentityAgent none
  ProxyJump none
Host *
  User late
  IdentityFile HOME/last
  UserKnownHostsFile HOME/all
`;

test("what ssh says and what is read without it are the same", async () => {
  const of = await query(CONFIG);
  for (const host of ["build1", "build9", "plain", "other", "included", "::1"]) {
    const asked = of(host);
    const read = await sshSettings({ ...asked, program: "/nonexistent/ssh" });
    assert.equal(await sshSettings(asked), read, host);
    const given = { ...asked, user: "given", port: 1234 };
    assert.equal(await sshSettings(given), await sshSettings({ ...given, program: "/none" }), host);
  }
});

test("ssh decides on Match exec and on includes within blocks", async () => {
  const of = await query('Match exec "test %n = a"\n  Port 1\nHost b\n  Include HOME/part\n');
  const { home } = of("a");
  await writeFile(join(home, "part"), "Port 2\n");
  assert.is((await sshSettings(of("a"))).port, 1);
  assert.is((await sshSettings(of("b"))).port, 2);
});

test("a configuration that ssh does not take is an error in its words", async () => {
  const of = await query("NoSuchKeyword yes\n");
  try {
    await sshSettings(of("h"));
    assert.unreachable();
  } catch (error) {
    assert.ok(isSidecanaryError(error, "host-failed"));
    assert.is(error.details.fault, "config");
    assert.match((error as Error).message, /nosuchkeyword/i);
  }
});

test("a ProxyCommand is refused", async () => {
  const of = await query("Host h\n  ProxyCommand nc %h %p\n");
  try {
    await sshSettings(of("h"));
    assert.unreachable();
  } catch (error) {
    assert.ok(isSidecanaryError(error, "host-failed"));
    assert.match((error as Error).message, "by a ProxyCommand, which is not supported");
  }
});

test("asking ends with the signal", async () => {
  const of = await query('Match exec "sleep 100"\n  Port 1\n');
  const abort = new AbortController();
  const asked = sshSettings({ ...of("h"), signal: abort.signal });
  abort.abort(new Error("given up"));
  try {
    await asked;
    assert.unreachable();
  } catch (error) {
    assert.is((error as Error).message, "given up");
  }
});
