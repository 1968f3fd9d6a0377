import * as assert from "uvu/assert";
import type { ChildProcess } from "node:child_process";
import process from "node:process";
import { suite } from "../harness.ts";
import { ended, firstLine, type Place, place, processesWith, replace, start } from "./cli-kit.ts";

const test = suite("signals");

const SLOW = { timeoutMs: 60_000 };

/** One variant is killed at once, the other one sleeps, under a name of its own. */
async function sleeper(seconds: string, quick: readonly string[] = ["bad"]): Promise<Place> {
  const variants = [...quick, "slow"].map((id) => ({ id, patch: replace("value", "good", id) }));
  const run = `grep -E '^(good|slow)$' value || exit 1; ! grep slow value || sleep ${seconds}`;
  return await place({
    "value": "good\n",
    "variants.json": variants,
    "sidecanary.json": { commands: [{ name: "check", run }], timeout: "10m", jobs: 1 },
  });
}

/** On Deno, `child.kill()` makes every end look like that signal's. */
function signal(child: ChildProcess, name: "SIGINT" | "SIGTERM" | "SIGHUP"): void {
  if (child.pid === undefined) throw new Error("the child has not started");
  process.kill(child.pid, name);
}

/** Waits until no process has `text` in its command line: the kernel ends them in its own time. */
async function gone(text: string): Promise<void> {
  while (processesWith(text).length > 0) await new Promise((resolve) => setTimeout(resolve, 20));
}

/** Waits until the child has a line with `text` on standard error. */
function says(child: ChildProcess, text: string): Promise<void> {
  return new Promise((resolve, reject) => {
    let seen = "";
    child.stderr?.setEncoding("utf8").on("data", (part: string) => {
      seen += part;
      if (seen.includes(text)) resolve();
    });
    child.once("close", () => reject(new Error(`ended without saying "${text}":\n${seen}`)));
  });
}

for (const [name, code] of [["SIGINT", 130], ["SIGTERM", 143], ["SIGHUP", 129]] as const) {
  test(`sidecanary variants reports what is known at ${name} and ends with ${code}`, async () => {
    const seconds = `300.0${code}${process.pid}`;
    const child = start(await sleeper(seconds), ["variants", "variants.json", "--verbose"]);
    const end = ended(child);
    await says(child, "testing slow");
    signal(child, name);
    const { code: actual, stdout, stderr } = await end;
    assert.is(actual, code, stderr);
    assert.match(stderr, `${name}: cancelling`);
    const report = JSON.parse(stdout);
    assert.equal([report.end, report.complete], ["cancelled", false]);
    assert.equal(
      report.results.map(({ id, status, reason }: Record<string, unknown>) => [id, status, reason]),
      [["bad", "killed", undefined], ["slow", "skipped", "cancelled"]],
    );
    await gone(`sleep\0${seconds}`);
  }, SLOW);
}

for (const kind of ["local", "local:copy"]) {
  test(
    `sidecanary variants --sidecar ${kind} leaves no process after a second signal`,
    async () => {
      const seconds = `300.0777${kind.length}${process.pid}`;
      const args = ["variants", "variants.json", "--verbose", "--sidecar", kind];
      const child = start(await sleeper(seconds), args);
      const end = ended(child);
      await says(child, "testing slow");
      signal(child, "SIGINT");
      signal(child, "SIGTERM");
      const { code } = await end;
      assert.ok(code === 143 || code === 130, String(code));
      await gone(`sleep\0${seconds}`);
    },
    SLOW,
  );
}

test("sidecanary variants stops when nobody reads its results any more", async () => {
  const seconds = `300.0555${process.pid}`;
  const at = await sleeper(seconds, ["one", "two", "three", "four", "five"]);
  const args = ["variants", "variants.json", "--format", "jsonl"];
  const { code, stdout, stderr } = await firstLine(at, args);
  assert.is(code, 141, stderr);
  assert.is(JSON.parse(stdout).type, "result");
  await gone(`sleep\0${seconds}`);
}, SLOW);
