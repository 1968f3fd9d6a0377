import * as assert from "uvu/assert";
import { type ChildProcess, spawn } from "node:child_process";
import { chmod, writeFile } from "node:fs/promises";
import { join } from "node:path";
import process from "node:process";
import { type Place, sidecanary, start } from "../cli/cli-kit.ts";
import { suite } from "../harness.ts";
import { gitRepo } from "../kit/git-repo.ts";
import { type PodmanService, podmanService } from "../kit/podman.ts";
import { root } from "../kit/root.ts";
import { makeKey, startSshd } from "../kit/sshd.ts";
import { tempDir } from "../kit/temp-dir.ts";

const test = suite("warm real hosts");
const SLOW = { timeoutMs: 120_000 };

/** A repository, and an environment in which nothing of this machine's user counts. */
async function place(): Promise<Place> {
  const repo = await gitRepo(
    "git init -q -b main; echo one >a.txt; mkdir sub; echo two >sub/b.txt; git add -A; git commit -qm x",
  );
  const home = await tempDir();
  const env = {
    HOME: home,
    XDG_STATE_HOME: join(home, "state"),
    XDG_CACHE_HOME: undefined,
    NO_COLOR: "1",
    SIDECANARY_SESSION: "s1",
    SSH_AUTH_SOCK: undefined,
  };
  return { dir: repo.dir, env };
}

/** Everything that a person does with a sidecar, by the command line. */
async function life(at: Place, where: readonly string[]): Promise<void> {
  const run = async (args: readonly string[], input = "") => {
    const answer = await sidecanary(at, args, { input });
    return { ...answer, said: `${args.join(" ")}: ${answer.stderr}` };
  };
  const created = await run(["sidecar", "create", ...where, "--json"]);
  assert.is(created.code, 0, created.said);
  const { host, made } = JSON.parse(created.stdout);
  assert.is(made, "created");
  try {
    const synced = await run(["sidecar", "sync", "--json"]);
    assert.is(synced.code, 0, synced.said);
    assert.is(JSON.parse(synced.stdout).kind, "full");
    const cat = await run(["sidecar", "exec", "--", "sh", "-c", "cat a.txt -; exit 7"], "in\n");
    assert.equal([cat.code, cat.stdout], [7, "one\nin\n"], cat.said);
    await writeFile(join(at.dir, "a.txt"), "edited\n");
    const valid = await run(["validate", ...where, "--command", "cat a.txt; test -t 0 || echo no"]);
    assert.equal([valid.code, valid.stdout], [0, "edited\nno\n"], valid.said);
    const late = await run(["validate", "--command", "sleep 60", "--timeout", "500ms"]);
    assert.is(late.code, 2, late.said);
    assert.match(late.stderr, "took too long");
    const piped = await run(["sidecar", "ssh"], "cat sub/b.txt; exit 5\n");
    assert.is(piped.code, 5, piped.said);
    assert.match(piped.stdout, /two\n$/);
    const all = await run(["sidecar", "list", "--all", ...where, "--json"]);
    assert.is(all.code, 0, all.said);
    const names = JSON.parse(all.stdout).hosts.map((each: { host: string }) => each.host);
    assert.ok(names.includes(host), all.stdout);
    const pruned = await run(["sidecar", "prune", ...where]);
    assert.is(pruned.code, 0, pruned.said);
  } finally {
    const destroyed = await run(["sidecar", "destroy"]);
    assert.is(destroyed.code, 0, destroyed.said + destroyed.stdout);
  }
  const left = await run(["sidecar", "list", "--all", ...where, "--json"]);
  assert.not.match(left.stdout, host);
}

test("a sidecar on a machine by real OpenSSH lives its life, with a terminal", async () => {
  const key = await makeKey("ed25519");
  const cache = await tempDir();
  const sshd = await startSshd({
    authorizedKeys: [key.publicLine],
    config: [`SetEnv XDG_CACHE_HOME=${cache}`],
  });
  try {
    const at = await place();
    const where = [
      "--sidecar",
      `ssh://${sshd.user}@127.0.0.1:${sshd.port}`,
      "--identity-file",
      key.path,
      "--accept-new",
    ];
    await life(at, where);
    const created = await sidecanary(at, ["sidecar", "create", ...where]);
    assert.is(created.code, 0, created.stderr);
    await sidecanary(at, ["sidecar", "sync"]);
    const typed = await onTerminal(at, ["sidecar", "ssh"], "tty; stty size; cat a.txt; exit 6\r");
    assert.is(typed.code, 6, typed.output);
    assert.match(typed.output, /\/dev\/pts\/\d+/);
    assert.match(typed.output, /33 99/);
    assert.match(typed.output, /edited/);
    assert.match(typed.output, /after: .* echo /);
    await sidecanary(at, ["sidecar", "destroy"]);
  } finally {
    await sshd.stop();
  }
}, SLOW);

/** Runs a command line on a terminal of 33 rows and 99 columns, and types into it. */
async function onTerminal(
  { dir, env }: Place,
  args: readonly string[],
  typed: string,
): Promise<{ code: number | null; output: string }> {
  const isSource = import.meta.url.endsWith(".ts");
  const script = isSource ? "spec/kit/children/cli.ts" : "dist-spec/kit/children/cli.js";
  const runtime = process.versions["deno"] === undefined ? [] : ["run", "-A"];
  const words = [process.execPath, ...runtime, join(root(), script), ...args];
  const line = `stty rows 33 cols 99; ${words.map((word) => `'${word}'`).join(" ")}; code=$?; ` +
    "echo after: $(stty -a); exit $code";
  const clean = Object.fromEntries(
    Object.entries({ ...process.env, ...env, TERM: "xterm" }).filter(([, value]) => value),
  );
  const child = spawn("script", ["-qefc", line, "/dev/null"], { cwd: dir, env: clean });
  let output = "";
  let isTyped = false;
  child.stdout.setEncoding("utf8").on("data", (text: string) => {
    output += text;
    // A shell has shown its prompt.
    if (!isTyped && /[$#] /.test(output)) {
      isTyped = true;
      child.stdin.write(typed);
    }
  });
  const code = await new Promise<number | null>((resolve) => child.once("close", resolve));
  return { code, output };
}

test("a sidecar in a container of real Podman lives its life", async () => {
  const podman: PodmanService = await podmanService();
  try {
    const at = await place();
    const env = { ...at.env, DOCKER_HOST: `unix://${podman.socket}` };
    await life({ ...at, env }, ["--sidecar", `docker:${podman.image}?network=none`]);
  } finally {
    await podman.stop();
  }
}, SLOW);

test("a sidecar of sidecar serve lives its life, and serve ends with its signal", async () => {
  const at = await place();
  const tokens = join(await tempDir(), "tokens");
  await writeFile(tokens, `${"t".repeat(48)}\n`);
  await chmod(tokens, 0o600);
  const serve = start(at, [
    "sidecar",
    "serve",
    "--listen",
    "127.0.0.1:0",
    "--token-file",
    tokens,
    "--json",
  ]);
  const end = new Promise<number | null>((resolve) => serve.once("close", resolve));
  try {
    const url = await listening(serve);
    const env = { ...at.env, SIDECANARY_TOKEN: "t".repeat(48) };
    await life({ ...at, env }, ["--sidecar", url]);
  } finally {
    process.kill(serve.pid ?? 0, "SIGTERM");
    assert.is(await end, 143);
  }
}, SLOW);

function listening(serve: ChildProcess): Promise<string> {
  let text = "";
  return new Promise((resolve, reject) => {
    serve.stderr?.setEncoding("utf8").on("data", (chunk: string) => {
      text += chunk;
      const [, url] = /"url":"([^"]+)"/.exec(text) ?? [];
      if (url !== undefined) resolve(url);
    });
    serve.once("close", () => reject(new Error(text)));
  });
}
