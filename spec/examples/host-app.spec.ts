import { build } from "esbuild";
import { type ChildProcess, spawn } from "node:child_process";
import { cp, mkdir, readFile, symlink, writeFile } from "node:fs/promises";
import { join } from "node:path";
import process from "node:process";
import * as assert from "uvu/assert";
import { suite } from "../harness.ts";
import { root } from "../kit/root.ts";
import { tempDir } from "../kit/temp-dir.ts";

const test = suite("host-app");

let dir = "";

test.before(async () => {
  dir = await tempDir();
  await cp(join(root(), "examples/host-app"), dir, { recursive: true });
  const modules = join(dir, "node_modules");
  await mkdir(join(modules, "sidecanary"), { recursive: true });
  for (const name of ["xstate", "libsql"]) {
    await symlink(join(root(), "node_modules", name), join(modules, name));
  }
  await build({
    absWorkingDir: root(),
    entryPoints: ["runtime/mod.ts"],
    outfile: join(modules, "sidecanary/mod.js"),
    bundle: true,
    format: "esm",
    platform: "node",
    target: "node20.19",
    // As in the published package: what hosts share stays outside, the rest comes along.
    external: ["xstate", "libsql", "cpu-features", "*.node"],
    logLevel: "error",
  });
  const manifest = { name: "sidecanary", version: "0.0.0", type: "module", exports: "./mod.js" };
  await writeFile(join(modules, "sidecanary/package.json"), JSON.stringify(manifest));
});

test(
  "an order survives the server's SIGKILL in the middle of the payment, and is charged once",
  async () => {
    const slow = await serve({ BANK_MS: "60000" });
    await app("order", "o-1", "25");
    await app("order", "o-1", "25");
    await Promise.all([app("gift", "o-1", "5"), app("gift", "o-1", "5")]);
    await until(async () => (await show("o-1"))["value"] === "paying");
    slow.kill("SIGKILL");
    const fast = await serve({ BANK_MS: "1" });
    await until(async () => (await show("o-1"))["status"] === "done");
    const order = await show("o-1");
    assert.is(order["value"], "shipped");
    const output = order["output"] as { receipt: string; gifts: number };
    assert.is(output.gifts, 5);
    const charged = (await readFile(join(dir, "bank.txt"), "utf8")).split("\n")
      .filter((line) => line.startsWith("charged "));
    assert.equal(charged, [`charged ${output.receipt.replace("receipt for ", "")} 25`]);
    let said = "";
    fast.stdout?.on("data", (text: string) => said += text);
    const ended = new Promise((resolve) => fast.once("close", resolve));
    fast.kill("SIGTERM");
    await ended;
    // Deno tells of the signal that was sent, and not of how the child ended.
    assert.is(said, "stopped\n");
  },
  { timeoutMs: 60_000 },
);

test("the same machine runs with createActor alone", async () => {
  const output = JSON.parse(await runBare()) as { gifts: number };
  assert.is(output.gifts, 0);
});

function start(file: string, args: readonly string[], env: Record<string, string>): ChildProcess {
  const runtime = process.versions["deno"] === undefined ? [] : ["run", "-A"];
  return spawn(process.execPath, [...runtime, file, ...args], {
    cwd: dir,
    env: { ...process.env, ...env },
    stdio: ["ignore", "pipe", "pipe"],
  });
}

async function runToEnd(file: string, args: readonly string[]): Promise<string> {
  const child = start(file, args, {});
  let stdout = "", stderr = "";
  child.stdout?.setEncoding("utf8").on("data", (text: string) => stdout += text);
  child.stderr?.setEncoding("utf8").on("data", (text: string) => stderr += text);
  const code = await new Promise((resolve) => child.once("close", resolve));
  if (code !== 0) throw new Error(`${file} ${args.join(" ")} ended with ${code}: ${stderr}`);
  return stdout;
}

function app(...args: string[]): Promise<string> {
  return runToEnd("host.js", args);
}

function runBare(): Promise<string> {
  return runToEnd("bare.js", []);
}

async function show(id: string): Promise<Record<string, unknown>> {
  return JSON.parse(await app("show", id)) as Record<string, unknown>;
}

/** Resolves when the server says that it serves. */
async function serve(env: Record<string, string>): Promise<ChildProcess> {
  const child = start("host.js", ["serve"], env);
  process.once("exit", () => child.kill("SIGKILL"));
  let stderr = "";
  child.stderr?.setEncoding("utf8").on("data", (text: string) => stderr += text);
  await new Promise<void>((resolve, reject) => {
    child.stdout?.setEncoding("utf8").on("data", (text: string) => {
      if (text.includes("serving")) resolve();
    });
    child.once("close", (code) => reject(new Error(`the server ended with ${code}: ${stderr}`)));
  });
  return child;
}

/** Each look starts a process, which is wait enough. */
async function until(holds: () => Promise<boolean>): Promise<void> {
  while (!await holds());
}
