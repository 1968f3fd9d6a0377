import { once } from "node:events";
import process from "node:process";
import * as assert from "uvu/assert";
import { run } from "../../scripts/run.ts";
import { suite } from "../harness.ts";
import { processesWith, uniqueSleep, until } from "../kit/processes.ts";
import { root } from "../kit/root.ts";
import { spawnScript } from "../kit/run-script.ts";

const test = suite("run");

test("run() answers the exit code and both streams", async () => {
  const result = await run("sh", ["-c", "echo out; echo err >&2; exit 3"], { cwd: root() });
  assert.is(result.code, 3);
  assert.is(result.output.split("\n").sort().join(), ",err,out");
  assert.not.ok(result.timedOut);
});

test("run() ends with its command, although a child of it still holds the pipe", async () => {
  const result = await run("sh", ["-c", "sleep 60 & exit 0"], { cwd: root() });
  assert.is(result.code, 0);
});

test("run() kills a command that takes too long, with its children", async () => {
  const args = ["-c", "sleep 60 & sleep 60; echo never"];
  const result = await run("sh", args, { cwd: root(), timeoutMs: 100 });
  assert.ok(result.timedOut);
  assert.is(result.signal, "SIGKILL");
  assert.is(result.output, "");
});

test("run() rejects for a command that does not exist", async () => {
  const error = await run("./no-such-command", [], { cwd: root() }).then(() => undefined, (e) => e);
  assert.is(error?.code, "ENOENT");
});

test("run() takes all of its commands along when the process is told to end", async () => {
  const sleeps = [uniqueSleep(), uniqueSleep()];
  const env = { SLEEPS: sleeps.join(" ") };
  const child = spawnScript("kit/children/runs-commands.ts", [], { env });
  const ended = once(child, "exit");
  await until("both sleep", () => sleeps.every((sleep) => processesWith(sleep).length === 1));
  process.kill(child.pid ?? 0, "SIGTERM");
  await ended;
  await until("no process is left", () => !sleeps.some((sleep) => processesWith(sleep).length > 0));
}, { timeoutMs: 20_000 });
