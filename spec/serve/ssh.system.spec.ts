import { Buffer } from "node:buffer";
import * as assert from "uvu/assert";
import ssh2, { type Client } from "ssh2";
import { WebSocket } from "ws";
import { suite } from "../harness.ts";
import { ManualClock } from "../kit/manual-clock.ts";
import { processesWith, uniqueSleep, until } from "../kit/processes.ts";
import {
  ALICE,
  api,
  dial,
  exec,
  execOnce,
  finish,
  INSTANCES,
  KEY,
  keyPair,
  makeInstance,
  open,
  OTHER_KEY,
  type TestHost,
  testHost,
} from "./serve-kit.ts";

const test = suite("ssh");
let host: TestHost, url: string, id: string;
test.before(async () => {
  host = await testHost({ isolation: {} });
  ({ url, id } = await makeInstance(host, "ssh"));
});
test.after(async () => await host.close());

const refusedBy = (attempt: Promise<Client>): Promise<Error> =>
  attempt.then((client) => {
    client.end();
    throw new Error("it was let in");
  }, (error: Error) => error);

test("exec answers output, error output and exit code, byte for byte", async () => {
  const ended = await execOnce(url, "cat; echo err >&2; pwd; exit 7", "in\0put\r\n");
  assert.equal(ended, {
    code: 7,
    signal: undefined,
    stdout: "in\0put\r\n/home/user\n",
    stderr: "err\n",
  });
});

test("the host key is the one that the API tells", async () => {
  let seen = "";
  const client = await dial(url, { onHostKey: (key) => seen = key.toString("base64") });
  client.end();
  assert.is(`ssh-ed25519 ${seen}`, host.hostKey);
});

test(
  "exec of 64 MB arrives whole although the client reads slowly, and input goes the other way",
  async () => {
    const client = await dial(url);
    const channel = await open(client, "head -c 64000000 /dev/zero; echo end >&2");
    channel.end();
    let bytes = 0;
    channel.stderr.resume();
    await new Promise<void>((resolve) => {
      channel.on("data", (chunk: Buffer) => {
        bytes += chunk.length;
        channel.pause();
        setImmediate(() => channel.resume());
      });
      channel.once("close", () => resolve());
    });
    assert.is(bytes, 64_000_000);
    const counted = await exec(client, "wc -c", "x".repeat(8_000_000));
    assert.is(counted.stdout.trim(), "8000000");
    client.end();
  },
  { timeoutMs: 30_000 },
);

test("a command that reads no input does not keep the client from sending and ending", async () => {
  const ended = await execOnce(url, "exec 0<&-; echo done", "x".repeat(8_000_000));
  assert.equal([ended.code, ended.stdout], [0, "done\n"]);
});

test("a signal ends the command and is how it ended", async () => {
  const client = await dial(url);
  const channel = await open(
    client,
    "trap 'echo caught; exit 9' TERM; echo up; sleep 30 >&- 2>&- & wait",
  );
  const ended = finish(channel);
  await new Promise((resolve) => channel.once("data", resolve));
  channel.signal("TERM");
  const { code, stdout } = await ended;
  assert.equal([code, stdout], [9, "up\ncaught\n"]);
  const other = await open(client, "echo up; sleep 30");
  const killed = finish(other);
  await new Promise((resolve) => other.once("data", resolve));
  other.signal("KILL");
  assert.equal([(await killed).code, (await killed).signal], [null, "SIGKILL"]);
  client.end();
});

test("a terminal has the size and type asked for, follows a resize, and takes keys", async () => {
  const client = await dial(url);
  const channel = await new Promise<import("ssh2").ClientChannel>((resolve, reject) => {
    client.shell({ rows: 31, cols: 101, term: "vt100" }, (error, opened) => {
      if (error) reject(error);
      else resolve(opened);
    });
  });
  let shown = "";
  const ended = new Promise((resolve) => channel.once("close", resolve));
  let code: number | null = null;
  channel.on("exit", (status: number) => code = status);
  channel.setEncoding("utf8").on("data", (text: string) => shown += text);
  await until("a prompt shows", () => /[$#] $/.test(shown));
  channel.write("stty size; echo $TERM; tty\n");
  await until("the size shows", () => /31 101[\s\S]*vt100[\s\S]*\/dev\/pts\/\d/.test(shown));
  channel.write("trap 'stty size' WINCH\n");
  channel.setWindow(40, 120, 0, 0);
  let polls = 0;
  await until("the new size shows", () => {
    // bash runs a trap when a line has come.
    if (++polls % 20 === 0) channel.write("\n");
    return /40 120/.test(shown);
  });
  const sleep = uniqueSleep();
  channel.write(`sleep ${sleep}\n`);
  await until("it runs", () => processesWith(sleep).length > 0);
  channel.write("\x03");
  // The terminal drops what was typed before.
  await until("a prompt shows", () => /\^C[\s\S]*[$#] $/.test(shown));
  channel.write("echo after; exit 5\n");
  await ended;
  assert.match(shown, "after");
  assert.is(code, 5);
  client.end();
});

test("the environment is the instance's own, and of the client's only what says how text is shown", async () => {
  const client = await dial(url);
  const channel = await new Promise<import("ssh2").ClientChannel>((resolve, reject) => {
    const env = { LC_ALL: "C", LD_PRELOAD: "/x", SECRET: "y" };
    client.exec("env", { env }, (error, opened) => error ? reject(error) : resolve(opened));
  });
  const { stdout } = await finish(channel);
  assert.match(stdout, "LC_ALL=C\n");
  assert.not.match(stdout, "LD_PRELOAD");
  assert.not.match(stdout, "SECRET");
  assert.match(stdout, "HOME=/home/user\n");
  assert.match(stdout, "TMPDIR=/tmp\n");
  const names = stdout.trim().split("\n").map((line) => line.split("=")[0]).sort();
  assert.equal(names, [
    ...["HOME", "LANG", "LC_ALL", "LOGNAME", "OLDPWD", "PATH", "PWD", "SHELL", "TMPDIR", "USER"],
  ]);
  client.end();
});

test("nobody gets in with an unknown key, another user, a password, no method, or a forged signature", async () => {
  const forged = ssh2.utils.parseKey(OTHER_KEY.private);
  if (forged instanceof Error) throw forged;
  const real = ssh2.utils.parseKey(KEY.public);
  if (real instanceof Error) throw real;
  // Says that it is the authorised key, and signs with another.
  forged.getPublicSSH = () => real.getPublicSSH();
  const attempts = [
    { privateKey: OTHER_KEY.private },
    { username: "root" },
    { username: "" },
    { password: "user" },
    { authHandler: [{ type: "publickey", username: "user", key: forged }] as never },
  ];
  for (const attempt of attempts) {
    const error = await refusedBy(dial(url, attempt));
    assert.ok(/authentication|Invalid username|closed/.test(error.message), error.message);
  }
});

test("a key of one instance opens no other", async () => {
  const other = await makeInstance(host, "other");
  const key = keyPair();
  await api(host, "POST", `${INSTANCES}/${other.id}/ssh/add-key`, {
    body: { public_key: key.public },
  });
  (await dial(other.url, { privateKey: key.private })).end();
  assert.match((await refusedBy(dial(url, { privateKey: key.private }))).message, "authentication");
});

test("an unknown instance, another path and a destroyed instance have no tunnel", async () => {
  const gone = await makeInstance(host, "gone");
  await api(host, "DELETE", `${INSTANCES}/${gone.id}`);
  const base = url.replace(/\/i\/.*/, "");
  const wrong = [
    gone.url,
    `${base}/i/00000000-0000-4000-8000-000000000000/ssh/tunnel`,
    `${base}/i/${id}/ssh/tunnel/`,
    `${base}/i/${id}`,
    `${base}/i/${id.toUpperCase()}/ssh/tunnel`,
    `${base}${INSTANCES}`,
  ];
  for (const each of wrong) {
    const status = await new Promise((resolve) => {
      const ws = new WebSocket(each);
      ws.once("unexpected-response", (_request, response) => {
        response.resume();
        resolve(response.statusCode);
        ws.terminate();
      });
      ws.once("open", () => resolve("open"));
      ws.on("error", () => {});
    });
    assert.is(status, 404, each);
  }
});

test("SFTP, forwarding, agent and X11 are refused", async () => {
  const client = await dial(url);
  const refusal = (ask: (done: (error?: Error | null) => void) => void) =>
    new Promise<Error | null | undefined>((resolve) => ask((error) => resolve(error)));
  assert.ok(await refusal((done) => void client.sftp(done)));
  assert.ok(await refusal((done) => void client.forwardOut("127.0.0.1", 1, "127.0.0.1", 22, done)));
  assert.ok(await refusal((done) => void client.forwardIn("127.0.0.1", 0, done)));
  assert.ok(await refusal((done) => void client.openssh_forwardOutStreamLocal("/x", done)));
  assert.ok(await refusal((done) => void client.openssh_forwardInStreamLocal("/x", done)));
  assert.ok(await refusal((done) => void client.subsys("netconf", done)));
  assert.ok(await refusal((done) => void client.exec("true", { x11: true }, done)));
  assert.is((await exec(client, "exit 4")).code, 4);
  client.end();
});

test("one session too many is refused as a shortage, and there is room when another ends", async () => {
  const client = await dial(url);
  const channels = await Promise.all(Array.from({ length: 10 }, () => open(client, "cat")));
  const refusal = await open(client, "true").then(() => undefined, (error) => error);
  assert.is(refusal?.reason, 4);
  const ended = finish(channels[0] ?? await open(client, "never"));
  channels[0]?.end();
  await ended;
  assert.is((await exec(client, "exit 6")).code, 6);
  client.end();
});

test("a dropped channel or connection does not end what runs; destroying the instance does", async () => {
  const own = await makeInstance(host, "dropped");
  const sleeps = [uniqueSleep(), uniqueSleep(), uniqueSleep()];
  const client = await dial(own.url);
  const channel = await open(client, `sleep ${sleeps[0]}`);
  await open(client, `(setsid sleep ${sleeps[1]} >/dev/null 2>&1 &); exec sleep ${sleeps[2]}`);
  await until("all run", () => sleeps.every((sleep) => processesWith(sleep).length > 0));
  channel.close();
  client.destroy();
  await until(
    "the host knows",
    () => host.instances().some((each) => each.id === own.id && each.connections === 0),
  );
  const next = await dial(own.url);
  assert.is((await exec(next, "ps -e | grep -c sleep")).stdout.trim(), "3");
  const closed = new Promise<void>((resolve) => next.once("close", () => resolve()));
  assert.is((await api(host, "DELETE", `${INSTANCES}/${own.id}`)).status, 204);
  for (const sleep of sleeps) assert.equal(processesWith(sleep), []);
  await closed;
});

test("a command of 32,000 bytes runs, one that cannot be passed ends with 126", async () => {
  const client = await dial(url);
  assert.is((await exec(client, `: ${"x".repeat(32_000)}; exit 3`)).code, 3);
  const ended = await exec(client, "echo \0");
  assert.is(ended.code, 126);
  client.end();
});

test("a packet that SSH does not allow ends that connection and no other", async () => {
  const [client, other] = [await dial(url), await dial(url)];
  const closed = new Promise<void>((resolve) => client.once("close", () => resolve()));
  await exec(client, `: ${"x".repeat(300_000)}`).catch(() => {});
  await closed;
  assert.is((await exec(other, "exit 3")).code, 3);
  other.end();
});

test("who does not log in within the time is disconnected", async () => {
  const clock = new ManualClock();
  const slow = await testHost({ clock, limits: { loginMs: 5_000 } });
  try {
    const own = await makeInstance(slow, "slow");
    const ws = new WebSocket(own.url, { perMessageDeflate: false });
    const greeting = await new Promise<string>((resolve) => {
      ws.once("message", (data: Buffer) => resolve(data.toString("latin1")));
    });
    assert.match(greeting, /^SSH-2\.0-sidecanary/);
    const closed = new Promise((resolve) => ws.once("close", resolve));
    const logged = await dial(own.url);
    clock.advance(5_000);
    await closed;
    assert.is((await exec(logged, "exit 2")).code, 2);
    logged.end();
  } finally {
    await slow.close();
  }
});

test("a peer that answers no ping is disconnected", async () => {
  const clock = new ManualClock();
  const slow = await testHost({ clock, limits: { loginMs: 3_600_000 } });
  try {
    const own = await makeInstance(slow, "mute");
    const ws = new WebSocket(own.url, { perMessageDeflate: false, autoPong: false });
    const closed = new Promise((resolve) => ws.once("close", resolve));
    await new Promise((resolve) => ws.once("message", resolve));
    const client = await dial(own.url);
    clock.advance(10_000);
    const pinged = new Promise((resolve) => ws.once("ping", resolve));
    clock.advance(20_000);
    await pinged;
    // The other one's pong is there when a command has come back.
    assert.is((await exec(client, "exit 2")).code, 2);
    clock.advance(30_000);
    await closed;
    assert.is((await exec(client, "exit 3")).code, 3);
    client.end();
  } finally {
    await slow.close();
  }
});

test("the owner's token is in no answer, event or environment", async () => {
  const ended = await execOnce(url, "env; cat /proc/*/environ /proc/*/cmdline 2>/dev/null");
  assert.not.match(ended.stdout, ALICE);
  assert.not.match(JSON.stringify(host.events), ALICE);
});
