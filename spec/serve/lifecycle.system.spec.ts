import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { existsSync, mkdirSync, readdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import process from "node:process";
import * as assert from "uvu/assert";
import { suite } from "../harness.ts";
import { ManualClock } from "../kit/manual-clock.ts";
import { processesWith, uniqueSleep, until } from "../kit/processes.ts";
import { tempDir } from "../kit/temp-dir.ts";
import {
  api,
  dial,
  exec,
  finish,
  hostScript,
  INSTANCES,
  makeInstance,
  open,
  testHost,
  withoutNamespaces,
} from "./serve-kit.ts";

const test = suite("lifecycle");

test("an instance that nobody is logged in to goes when it was idle for long enough", async () => {
  const clock = new ManualClock();
  const limits = { idleMs: 60_000, loginMs: 7_200_000, lifetimeMs: 7_200_000 };
  const host = await testHost({ clock, limits });
  try {
    const { id, url } = await makeInstance(host, "idle");
    clock.advance(59_000);
    const client = await dial(url);
    clock.advance(20_000);
    assert.is((await exec(client, "exit 3")).code, 3);
    clock.advance(25_000);
    assert.is((await exec(client, "exit 3")).code, 3);
    clock.advance(25_000);
    assert.is(host.instances().length, 1);
    // One that says goodbye, and one that is cut.
    const other = await dial(url);
    client.end();
    other.destroy();
    await until(
      "the host knows",
      () => host.events.filter(({ kind }) => kind === "disconnected").length === 2,
    );
    clock.advance(59_000);
    assert.is(host.instances().length, 1);
    clock.advance(1_000);
    await until("it is gone", () => host.events.some(({ kind }) => kind === "destroyed"));
    assert.is((await api(host, "DELETE", `${INSTANCES}/${id}`)).status, 404);
    const event = host.events.find(({ kind }) => kind === "destroyed");
    assert.equal(event, {
      kind: "destroyed",
      instance: id,
      name: "idle",
      owner: "alice",
      reason: "idle",
    });
    assert.not.ok(existsSync(join(host.stateDir, "instances", id)));
  } finally {
    await host.close();
  }
});

test("an instance goes at the end of its lifetime in the middle of a command", async () => {
  const clock = new ManualClock();
  const host = await testHost({ clock, limits: { lifetimeMs: 10_000 } });
  try {
    const { url } = await makeInstance(host, "old");
    const sleep = uniqueSleep();
    const client = await dial(url);
    const ended = finish(await open(client, `exec sleep ${sleep}`));
    await until("it runs", () => processesWith(sleep).length > 0);
    clock.advance(10_000);
    assert.is((await ended).code, undefined);
    await until(
      "it was told",
      () => host.events.some((event) => event.kind === "destroyed" && event.reason === "lifetime"),
    );
    assert.equal(host.instances(), []);
    assert.equal(processesWith(sleep), []);
  } finally {
    await host.close();
  }
});

test("an instance whose first process was killed is gone as a whole", async () => {
  const host = await testHost();
  try {
    const { id, url } = await makeInstance(host, "killed");
    const text = readFileSync(join(host.stateDir, "instances", id, "instance.json"), "utf8");
    const { pid } = JSON.parse(text).holder;
    assert.ok(pid > 1);
    process.kill(pid, "SIGKILL");
    await until(
      "it was told",
      () => host.events.some((event) => event.kind === "destroyed" && event.reason === "died"),
    );
    assert.is(await dial(url).then(() => "in", () => "out"), "out");
    assert.equal(readdirSync(join(host.stateDir, "instances")), []);
  } finally {
    await host.close();
  }
});

test("close() in the middle of a command and of a create leaves nothing", async () => {
  const host = await testHost();
  const { url } = await makeInstance(host, "running");
  const sleeps = [uniqueSleep(), uniqueSleep()];
  const client = await dial(url);
  const ended = finish(await open(client, `setsid sleep ${sleeps[0]} & exec sleep ${sleeps[1]}`));
  await until("both run", () => sleeps.every((sleep) => processesWith(sleep).length > 0));
  const creating = makeInstance(host, "half").then(() => "made", () => "refused");
  await Promise.all([host.close(), host.close()]);
  assert.is((await ended).code, undefined);
  await creating;
  for (const sleep of sleeps) assert.equal(processesWith(sleep), []);
  assert.equal(readdirSync(host.stateDir).sort(), ["host-key", "instances"]);
  assert.equal(readdirSync(join(host.stateDir, "instances")), []);
});

async function startChild(stateDir: string, ...args: string[]): Promise<{
  readonly child: ChildProcess;
  readonly url: string;
  readonly hostKey: string;
}> {
  const argv = [...hostScript(), stateDir, ...args];
  const [file = "", ...rest] = args[0] === "shared" ? withoutNamespaces(argv) : argv;
  const child = spawn(file, rest, { stdio: ["pipe", "pipe", "inherit"] });
  if (child.stdout === null) throw new Error("it has no output");
  const [line] = await once(child.stdout.setEncoding("utf8"), "data");
  return { child, ...JSON.parse(line) };
}

for (const shared of ["", "shared"]) {
  const how = shared === "" ? "in namespaces" : "without walls";
  test(
    `after SIGKILL nothing ${how} is left, and the next start says so and keeps the key`,
    async () => {
      const stateDir = await tempDir();
      const { child, url, hostKey } = await startChild(stateDir, shared);
      const sleeps = [uniqueSleep(), uniqueSleep(), uniqueSleep()];
      for (const [index, name] of ["one", "two"].entries()) {
        const client = await dial((await makeInstance({ url }, name)).url);
        client.on("error", () => {});
        await open(client, `setsid sleep ${sleeps[2]} & exec sleep ${sleeps[index]}`);
      }
      await until("all run", () => sleeps.every((sleep) => processesWith(sleep).length > 0));
      const left = join(stateDir, "instances");
      assert.is(readdirSync(left).length, 2);
      // One that was killed before it was written down.
      mkdirSync(join(left, "half", "home"), { recursive: true });
      child.kill("SIGKILL");
      await once(child, "exit");
      await until(
        "nothing runs",
        () => sleeps.every((sleep) => processesWith(sleep).length === 0),
      );
      const host = await testHost({ stateDir });
      try {
        assert.equal(readdirSync(left), []);
        assert.is(host.events.filter(({ kind }) => kind === "recovered").length, 3);
        assert.is(host.hostKey, hostKey);
        assert.not.match(readFileSync("/proc/self/mountinfo", "utf8"), stateDir);
        await makeInstance(host, "one");
      } finally {
        await host.close();
      }
    },
    { timeoutMs: 30_000 },
  );
}

test("a start ends what the journal names, and not what has its number by now", async () => {
  const stateDir = await tempDir();
  const place = await journalPlace();
  const stay = spawn("sleep", ["100"], { stdio: "ignore" });
  const go = spawn("sleep", ["100"], { stdio: "ignore" });
  const startOf = (pid = 0) => {
    const stat = readFileSync(`/proc/${pid}/stat`, "latin1");
    return stat.slice(stat.lastIndexOf(")") + 2).split(" ")[19] ?? "";
  };
  const entries = [
    ["a", { place, pid: go.pid, started: startOf(go.pid) }],
    ["b", { place, pid: stay.pid, started: "1" }],
  ] as const;
  for (const [id, holder] of entries) {
    mkdirSync(join(stateDir, "instances", id), { recursive: true });
    const entry = { id, name: id, owner: "alice", holder };
    writeFileSync(join(stateDir, "instances", id, "instance.json"), JSON.stringify(entry));
  }
  const gone = once(go, "exit");
  const host = await testHost({ stateDir });
  await gone;
  assert.is(stay.exitCode ?? stay.signalCode, null);
  assert.equal(readdirSync(join(stateDir, "instances")), []);
  await host.close();
  stay.kill("SIGKILL");
  await once(stay, "exit");
});

test("what cannot be removed is told, and does not keep the host from starting", async () => {
  const stateDir = await tempDir();
  mkdirSync(join(stateDir, "instances", "odd"), { recursive: true });
  writeFileSync(join(stateDir, "instances", "odd", "instance.json"), "{");
  const host = await testHost({ stateDir });
  assert.equal(host.events[0]?.kind, "failed");
  assert.is((await makeInstance(host, "a")).id.length, 36);
  await host.close();
});

/** How a journal names this boot of this machine. */
async function journalPlace(): Promise<string> {
  const host = await testHost();
  const { id } = await makeInstance(host, "a");
  const text = readFileSync(join(host.stateDir, "instances", id, "instance.json"), "utf8");
  await host.close();
  return JSON.parse(text).holder.place;
}
