import { chmodSync, existsSync, readFileSync, statSync, writeFileSync } from "node:fs";
import { spawn } from "node:child_process";
import { once } from "node:events";
import { createServer } from "node:net";
import type { AddressInfo } from "node:net";
import { join } from "node:path";
import process from "node:process";
import * as assert from "uvu/assert";
import type { Client } from "ssh2";
import { suite } from "../harness.ts";
import { processesWith, uniqueSleep, until } from "../kit/processes.ts";
import { tempDir } from "../kit/temp-dir.ts";
import {
  api,
  dial,
  exec,
  hostScript,
  INSTANCES,
  makeInstance,
  open,
  type TestHost,
  testHost,
  withoutNamespaces,
} from "./serve-kit.ts";

const test = suite("isolation");
let host: TestHost, one: Client, two: Client;
test.before(async () => {
  host = await testHost({ limits: { processes: 200, fileBytes: 1_000_000 }, isolation: {} });
  assert.match(host.isolation, "namespaces");
  one = await dial((await makeInstance(host, "one")).url);
  two = await dial((await makeInstance(host, "two")).url);
});
test.after(async () => {
  one.end();
  two.end();
  await host.close();
});

const output = async (client: Client, command: string) => (await exec(client, command)).stdout;

test("an instance is a user of its own without any capability, on a host name of its own", async () => {
  assert.is(await output(one, "id -un; id -u; id -g; hostname"), "user\n1000\n1000\nsidecar\n");
  assert.match(await output(one, "grep Cap /proc/self/status"), /CapEff:\t0+\n/);
  // Outside, as root: an id that nobody else has, another one for each instance.
  const sleep = uniqueSleep();
  for (const client of [one, two]) await open(client, `exec sleep ${sleep}`);
  await until("both run", () => processesWith(sleep).length >= 2);
  const uids = new Set(processesWith(sleep).map((pid) => statSync(`/proc/${pid}`).uid));
  if (process.getuid?.() === 0) {
    assert.not.ok(uids.has(0) && uids.size === 1);
    assert.ok(uids.size >= 2);
  } else assert.equal([...uids], [process.getuid?.()]);
});

test("instances do not see each other's files, nor the machine's homes and state", async () => {
  await exec(one, "echo secret > ~/file; echo secret > /tmp/file; echo secret > /dev/shm/file");
  assert.is(await output(one, "cat ~/file /tmp/file /dev/shm/file"), "secret\n".repeat(3));
  const found = await output(two, "ls -A ~ /tmp /var/tmp /dev/shm; cat ~/file /tmp/file");
  assert.not.match(found, "file");
  const outside = [host.stateDir, join(host.stateDir, "host-key"), "/root", "/var/lib"];
  for (const path of [...outside, "/home/*", "/mnt", "/srv", "/boot", "/.old"]) {
    const listed = await output(two, `ls -d ${path} 2>/dev/null`);
    assert.ok(listed === "" || listed === "/home/user\n", listed);
  }
});

test("what an instance sees of the machine cannot be written to", async () => {
  const tries = ["/", "/usr", "/etc", "/usr/bin", "/home", "/dev", "/proc", "/var", "/run", "/opt"];
  for (const dir of tries) {
    assert.is((await exec(one, `touch ${dir}/sidecanary-probe`)).code, 1, dir);
  }
  const inner =
    "mount -o remount,rw,bind /usr || umount /usr || umount /proc || umount /etc/passwd";
  assert.is.not((await exec(one, `unshare -Urm sh -c '${inner}'`)).code, 0);
  assert.is.not((await exec(one, "umount /proc || mount -t tmpfs x /tmp")).code, 0);
});

test("instances do not see each other's processes, nor the server's", async () => {
  const sleep = uniqueSleep();
  await open(one, `exec sleep ${sleep}`);
  await until("it runs", () => processesWith(sleep).length > 0);
  assert.match(await output(one, "ps -eo args"), sleep);
  const seen = await output(two, "ps -eo args; cat /proc/[0-9]*/cmdline");
  assert.not.match(seen, sleep);
  const pids = (await output(two, "ls /proc | grep -c '^[0-9]'")).trim();
  assert.ok(Number(pids) < 8, pids);
  const [pid] = processesWith(sleep);
  assert.is.not((await exec(two, `kill -9 ${pid}; kill -9 -1; true && kill -9 ${pid}`)).code, 0);
  assert.equal(processesWith(sleep).length > 0, true);
  assert.is((await exec(two, "exit 3")).code, 3);
});

const LISTEN = `const net = require("node:net");
net.createServer((socket) => socket.end("hello")).listen(0, "127.0.0.1", function () {
  console.log(this.address().port);
});`;
const CONNECT = (port: number) =>
  `const socket = require("node:net").connect(${port}, "127.0.0.1");
socket.on("connect", () => { console.log("reached"); process.exit(); });
socket.on("error", (error) => { console.log(error.code); process.exit(); });`;

test("an instance reaches its own ports, not another's and not the machine's", async () => {
  const node = await nodeCommand(one);
  const channel = await open(one, `${node} '${LISTEN}'`);
  const port = Number(await new Promise((resolve) => channel.once("data", resolve)));
  const attempt = async (client: Client, to: number) =>
    (await output(client, `${node} '${CONNECT(to)}'`)).trim();
  assert.is(await attempt(one, port), "reached");
  assert.is(await attempt(two, port), "ECONNREFUSED");
  const machine = createServer().listen(0, "127.0.0.1");
  await new Promise((resolve) => machine.once("listening", resolve));
  assert.is(await attempt(two, (machine.address() as AddressInfo).port), "ECONNREFUSED");
  assert.is(await attempt(two, Number(new URL(host.url).port)), "ECONNREFUSED");
  machine.close();
});

/** How a JavaScript text is run in an instance: by the runtime that runs this spec, where it shows. */
async function nodeCommand(client: Client): Promise<string> {
  if ((await exec(client, "command -v node")).code === 0) return "node -e";
  throw new Error("this machine has no node in a system directory");
}

test("overlays and further namespaces work inside, as the lanes of a campaign need them", async () => {
  const lane = `set -e; mkdir -p ~/o/l/dir ~/o/u ~/o/w ~/o/m; cd ~/o; echo base > l/dir/file
    unshare -Urmpf --mount-proc --kill-child sh -c '
      mount -t overlay o -o lowerdir=l,upperdir=u,workdir=w,userxattr,volatile m
      mv m/dir m/moved; echo changed > m/moved/file; cat m/moved/file'
    cat l/dir/file; ls u`;
  const ended = await exec(one, lane);
  assert.equal([ended.stdout, ended.code], ["changed\nbase\ndir\nmoved\n", 0]);
});

test("git works in the home directory", async () => {
  const ended = await exec(
    one,
    "set -e; git init -q ~/r; cd ~/r; git config user.email a@b; git config user.name a\n" +
      "echo 1 > f; git add f; git commit -qm one; git worktree add -q ../w; cat ../w/f",
  );
  assert.equal([ended.stdout, ended.code], ["1\n", 0]);
});

test("the size of a file is limited", async () => {
  const large = await exec(one, "head -c 3000000 /dev/zero > /tmp/large");
  assert.is.not(large.code, 0);
  assert.is((await output(one, "stat -c %s /tmp/large; rm /tmp/large")).trim(), "1000000");
});

test(
  "processes are limited, and what could not be started does not pass for a failure",
  async () => {
    const forks = await exec(one, "for i in $(seq 400); do sleep 4 >/dev/null 2>&1 & done");
    assert.is.not(forks.code, 0);
    assert.match(forks.stderr, /fork|Resource/i);
    await until("nothing can be started", async () => {
      await open(one, "exec sleep 4");
      return (await exec(one, "exit 1")).code === 126;
    });
    assert.is((await exec(two, "exit 3")).code, 3);
    await until("there is room", async () => (await exec(one, "exit 3")).code === 3);
  },
  { timeoutMs: 20_000 },
);

test("a hidden file and directory are not to be read although they are below an exposed one", async () => {
  const shown = await tempDir();
  chmodSync(shown, 0o755);
  writeFileSync(join(shown, "token"), "secret");
  writeFileSync(join(shown, "open"), "open");
  const exposing = await testHost({
    isolation: { expose: [shown], hide: [join(shown, "token")] },
  });
  try {
    const client = await dial((await makeInstance(exposing, "a")).url);
    assert.is(await output(client, `cat ${shown}/open; cat ${shown}/token`), "open");
    client.end();
  } finally {
    await exposing.close();
  }
});

test("the machine's network is shared where that is asked for", async () => {
  const sharing = await testHost({ isolation: { network: "host" } });
  try {
    const client = await dial((await makeInstance(sharing, "a")).url);
    const node = await nodeCommand(client);
    const port = Number(new URL(sharing.url).port);
    assert.is((await output(client, `${node} '${CONNECT(port)}'`)).trim(), "reached");
    assert.match(sharing.isolation, "the machine's network");
    client.end();
  } finally {
    await sharing.close();
  }
});

test("where namespaces do not work the host is refused, unless walls are not wanted", async () => {
  const without = async (shared: string) => {
    const [file, ...args] = withoutNamespaces([...hostScript(), await tempDir(), shared]);
    const child = spawn(file, args, { stdio: ["pipe", "pipe", "inherit"] });
    const [line] = await once(child.stdout.setEncoding("utf8"), "data");
    return { child, told: JSON.parse(line) };
  };
  const { child, told } = await without("");
  assert.equal([told.code, told.details.wanted], ["sandbox-unavailable", "namespaces"]);
  assert.match(told.message, "unshare failed");
  assert.match(told.message, "--shared-user-unsafe");
  if (child.exitCode === null) await once(child, "exit");
  const open = await without("shared");
  assert.match(open.told.isolation, "no isolation");
  const { url } = await makeInstance(open.told, "a");
  const sleep = uniqueSleep();
  const client = await dial(url);
  assert.match(await output(client, "pwd"), "/instances/");
  await exec(client, `setsid sleep ${sleep} >/dev/null 2>&1 &`);
  await until("it runs", () => processesWith(sleep).length > 0);
  client.end();
  open.child.stdin.end();
  await once(open.child, "exit");
  assert.equal(processesWith(sleep), []);
});

test("a destroyed instance leaves no file and no process", async () => {
  const own = await makeInstance(host, "leaves-nothing");
  const sleep = uniqueSleep();
  const client = await dial(own.url);
  await exec(
    client,
    "mkdir -p ~/a/b; chmod 0 ~/a; cd /tmp; mkdir l u w m; unshare -Urm mount -t overlay o -o " +
      "lowerdir=l,upperdir=u,workdir=w,userxattr m",
  );
  await open(client, `setsid sleep ${sleep}`);
  await until("it runs", () => processesWith(sleep).length > 0);
  assert.is((await api(host, "DELETE", `${INSTANCES}/${own.id}`)).status, 204);
  assert.equal(processesWith(sleep), []);
  assert.not.ok(existsSync(join(host.stateDir, "instances", own.id)));
  assert.not.match(readFileSync("/proc/self/mountinfo", "utf8"), own.id);
});
