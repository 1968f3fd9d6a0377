import * as assert from "uvu/assert";
import type { ChildProcess } from "node:child_process";
import { existsSync } from "node:fs";
import { join } from "node:path";
import process from "node:process";
import { listWarm } from "../../runtime/warm/list-warm.ts";
import { warmKey } from "../../runtime/warm/warm-key.ts";
import { processesWith } from "../cli/cli-kit.ts";
import { suite } from "../harness.ts";
import { spawnScript } from "../kit/run-script.ts";
import { type WarmPlace, warmPlace, WHERE } from "./warm-kit.ts";

const test = suite("warm processes");

/** Starts a command line of its own in a place, with the place's hosts. */
function start(
  at: WarmPlace,
  verb: string,
  word: string,
  more: Readonly<Record<string, string>> = {},
): ChildProcess {
  const env = {
    ...more,
    XDG_STATE_HOME: at.stateHome,
    CACHE: join(at.repo.base, "cache"),
    THERE: [...at.hosts.there.keys()].join(" "),
    SIDECANARY_SESSION: "s1",
  };
  const child = spawnScript("kit/children/warm-cli.ts", [verb, word], { cwd: at.repo.dir, env });
  child.stdin?.on("error", () => {});
  return child;
}

/** The exit code, and what it said. */
function ended(child: ChildProcess): Promise<{ code: number | null; text: string }> {
  let text = "";
  for (const stream of [child.stdout, child.stderr]) {
    stream?.setEncoding("utf8").on("data", (chunk: string) => text += chunk);
  }
  return new Promise((resolve) => child.once("close", (code) => resolve({ code, text })));
}

/** Resolves when a child has written this text to standard output. */
function said(child: ChildProcess, wanted: string): Promise<void> {
  let text = "";
  return new Promise((resolve, reject) => {
    child.stdout?.setEncoding("utf8").on("data", (chunk: string) => {
      text += chunk;
      if (text.includes(wanted)) resolve();
    });
    child.once("close", () => reject(new Error(`it ended: ${text}`)));
  });
}

for (const signal of ["SIGINT", "SIGTERM"] as const) {
  test(`validate that gets ${signal} kills the command there and ends with its code`, async () => {
    const at = await warmPlace();
    const late = join(at.repo.base, "late");
    const child = start(at, "validate", `echo ready; sleep 3; touch ${late}; sleep 60`);
    child.stdin?.end();
    const end = ended(child);
    await said(child, "ready");
    process.kill(child.pid ?? 0, signal);
    const { code, text } = await end;
    assert.is(code, signal === "SIGINT" ? 130 : 143, text);
    assert.is(processesWith(late).length, 0);
    assert.not.ok(existsSync(late));
  }, { timeoutMs: 30_000 });
}

test("exec that gets SIGINT kills the command there, its input being open", async () => {
  const at = await warmPlace();
  const key = warmKey({ kind: "session", session: "s1" });
  const warm = await at.open(key);
  await warm.use(at.use);
  await warm.close();
  const late = join(at.repo.base, "late");
  const child = start(at, "exec", `echo ready; sleep 3; touch ${late}; sleep 60`);
  const end = ended(child);
  await said(child, "ready");
  process.kill(child.pid ?? 0, "SIGINT");
  assert.is((await end).code, 130);
  assert.is(processesWith(late).length, 0);
}, { timeoutMs: 30_000 });

test("exec ends with its command, its input being open", async () => {
  const at = await warmPlace();
  const warm = await at.open(warmKey({ kind: "session", session: "s1" }));
  await warm.use(at.use);
  await warm.close();
  const { code, text } = await ended(start(at, "exec", "echo hello; exit 3"));
  assert.equal([code, text], [3, "hello\n"]);
}, { timeoutMs: 30_000 });

for (const HANG of [undefined, "create"]) {
  const when = HANG === undefined ? "while a command ran" : "before the provider's answer came";
  test(`a sidecar whose process was killed ${when} is found and taken over at once`, async () => {
    const at = await warmPlace();
    const child = start(at, "validate", "echo ready; sleep 60", HANG === undefined ? {} : { HANG });
    child.stdin?.end();
    const end = ended(child);
    await said(child, "ready");
    process.kill(child.pid ?? 0, "SIGKILL");
    await end;
    const { clock, random } = at.context;
    const [listed] = await listWarm(at.folder, clock, random);
    assert.is(listed?.state, HANG === undefined ? "up" : "booting");
    const host = listed?.host ?? "";
    at.hosts.there.set(host, { id: host, name: host });
    const began = performance.now();
    const warm = await at.open(warmKey({ kind: "session", session: "s1" }));
    const where = { ...WHERE, label: "ssh://shell" };
    const { made, record } = await warm.use({ ...at.use, where });
    await warm.close();
    assert.equal([made, record.host, at.hosts.asked.length], ["found", host, 0]);
    assert.ok(performance.now() - began < 4_000);
  }, { timeoutMs: 30_000 });
}
