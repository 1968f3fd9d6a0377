import * as assert from "uvu/assert";
import fc from "fast-check";
import { once } from "node:events";
import { existsSync } from "node:fs";
import process from "node:process";
import { suite } from "../harness.ts";
import { check } from "./check.ts";
import { fixture } from "./fixture.ts";
import { runScript, spawnScript } from "./run-script.ts";

const test = suite("kit");

test("fixture() is an absolute path that exists, from source and from the bundle", () => {
  assert.ok(existsSync(fixture("harness/passes.ts")));
});

test("tempDir() is removed when its process ends, with what an overlay leaves", async () => {
  const { code, stdout } = await runScript("kit/children/leaves-temp-dir.ts");
  assert.is(code, 0);
  assert.match(stdout, /sidecanary-spec-/);
  assert.not.ok(existsSync(stdout.trim()));
});

test("runScript() answers exit code and both streams, and passes arguments and env", async () => {
  const env = { SPEC_WORD: "word" };
  const result = await runScript("kit/children/ends-as-told.ts", ["code", "told"], { env });
  assert.equal(result, { code: 7, signal: null, stdout: "out told word\n", stderr: "err\n" });
});

test("runScript() removes a variable that is undefined", async () => {
  const env = { SPEC_WORD: undefined };
  const result = await runScript("kit/children/ends-as-told.ts", ["code", "told"], { env });
  assert.is(result.stdout, "out told -\n");
});

test("runScript() feeds standard input", async () => {
  const result = await runScript("kit/children/ends-as-told.ts", ["input"], { input: "shout" });
  assert.is(result.stdout, "SHOUT\n");
});

test("runScript() rejects for a child that outlives its time", async () => {
  try {
    await runScript("kit/children/ends-as-told.ts", ["hang"], { timeoutMs: 700 });
    assert.unreachable();
  } catch (error) {
    assert.match(String(error), "ran longer than 700 ms");
  }
});

for (
  const [signal, how, end] of [
    ["SIGTERM", "trap", [7, null]],
    ["SIGKILL", "hang", [null, "SIGKILL"]],
  ] as const
) {
  test(`spawnScript() starts the runtime itself, which ${signal} reaches`, async () => {
    const child = spawnScript("kit/children/ends-as-told.ts", [how]);
    assert.ok(child.stdout && child.pid);
    await once(child.stdout, "data");
    const exit = once(child, "exit");
    process.kill(child.pid, signal);
    assert.equal(await exit, end);
  });
}

test("check() passes for a property that holds, synchronous or not", async () => {
  await check(fc.property(fc.nat(), (n) => n >= 0));
  await check(fc.asyncProperty(fc.nat(), async (n) => await Promise.resolve(n >= 0)));
});

test("check() rejects for an asynchronous property that does not hold", async () => {
  const property = fc.asyncProperty(fc.nat(), (n) => Promise.resolve(n < 10));
  const error = await check(property, { seed: 7 }).then(() => undefined, (thrown) => thrown);
  assert.match(String(error), "Counterexample: [10]");
  assert.match(String(error), "seed: 7");
});

test("check() names seed and path, which repeat the counterexample in one run", async () => {
  const entry = "kit/children/checks-falsehood.ts";
  const first = await runScript(entry, []);
  const named = /seed: (-?\d+), path: "([\d:]+)"/.exec(first.stderr);
  assert.ok(named, first.stderr);
  const env = { FC_SEED: named[1], FC_PATH: named[2] };
  const again = await runScript(entry, [], { env });
  assert.is(again.stdout, "asked 1000\n");
});
