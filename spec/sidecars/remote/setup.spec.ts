import * as assert from "uvu/assert";
import { Buffer } from "node:buffer";
import { existsSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { isSidecanaryError } from "../../../runtime/errors.ts";
import { runSetup, type SetupOptions } from "../../../runtime/sidecars/remote/setup.ts";
import { setupKey } from "../../../runtime/sidecars/remote/setup-key.ts";
import { suite } from "../../harness.ts";
import { ManualClock } from "../../kit/manual-clock.ts";
import { processesWith, uniqueSleep, until } from "../../kit/processes.ts";
import {
  CALM,
  deliver,
  type Machine,
  machine,
  type Project,
  project,
} from "../../kit/remote-kit.ts";
import { treeDigest } from "../../kit/tree-digest.ts";

const test = suite("runSetup");

/** A host that has the project, and its setup. */
async function prepared(script: string, env: Readonly<Record<string, string>> = {}) {
  const from = await project(script);
  const host = await machine(env);
  const workspace = await host.open();
  await deliver(from, host.connect(), workspace);
  const setup = (options: Partial<SetupOptions>) => run(from, host, options);
  return { from, host, workspace, setup };
}

async function run(from: Project, host: Machine, options: Partial<SetupOptions>) {
  const { payload } = await from.capture();
  return await runSetup(host.connect(), await host.open(), {
    command: "true",
    payload,
    timeoutMs: 60_000,
    signal: CALM,
    ...options,
  });
}

test(
  "runSetup() runs once in the base, and again when a lock file or the command changes",
  async () => {
    const { from, host, workspace, setup } = await prepared(
      "echo 1 >package-lock.json; mkdir deep; echo 1 >deep/Cargo.lock; echo a >a; echo out >.gitignore",
    );
    const runs = () => readFileSync(join(workspace.base, "out"), "utf8").trimEnd().split("\n");
    const command = "pwd >>out";
    assert.is((await setup({ command })).kind, "ran");
    assert.equal(runs(), [workspace.base]);
    assert.is((await setup({ command })).kind, "done-before");
    const change = async (script: string) => {
      await from.sh(script);
      await deliver(from, host.connect(), workspace);
      return (await setup({ command })).kind;
    };
    assert.is(await change("echo 2 >a"), "done-before");
    assert.is(await change("echo 2 >deep/Cargo.lock"), "ran");
    assert.is(await change("rm package-lock.json"), "ran");
    assert.is(runs().length, 3);
    assert.is((await setup({ command: "pwd >>out; true" })).kind, "ran");
  },
  { timeoutMs: 60_000 },
);

test("runSetup() tells both outputs, and has the user's own environment", async () => {
  const { host, setup } = await prepared("echo a >a", { GIT_AUTHOR_NAME: "Ada" });
  let text = "";
  await setup({
    command: 'echo "out $HOME"; echo "err $GIT_AUTHOR_NAME" >&2',
    onOutput: (chunk) => text += Buffer.from(chunk).toString(),
  });
  assert.is(text, `out ${host.home}\nerr Ada\n`);
});

test("runSetup() fails with the exit code and the end of the output, and is not done", async () => {
  const { setup } = await prepared("echo a >a");
  for (
    const [command, code] of [["echo no network >&2; exit 7", 7], [
      "no-such-program-xyz",
      127,
    ]] as const
  ) {
    for (let twice = 0; twice < 2; twice++) {
      const error = await setup({ command }).catch((reason) => reason);
      assert.ok(isSidecanaryError(error, "host-failed"), String(error));
      assert.equal([error.details.fault, error.details.kind], ["config", "never"]);
      assert.is(error.details.detail, code);
      assert.match(error.message, code === 7 ? /no network/ : /no-such-program-xyz/);
    }
  }
});

test("runSetup() restores what it changed of the payload and names it", async () => {
  const { from, workspace, setup } = await prepared(
    "mkdir d; echo a >a; echo b >d/b; echo x >x; chmod +x x; ln -s a l",
  );
  const command = "echo z >>a; rm -r d; chmod -x x; rm l; echo l >l; mkdir made; echo m >made/m";
  const { restored } = await setup({ command });
  assert.equal([...restored].sort(), ["a", "d/b", "l", "x"]);
  assert.equal(
    await treeDigest(workspace.base, { without: ["made"] }),
    await treeDigest(from.dir),
  );
  assert.ok(existsSync(join(workspace.base, "made", "m")));
  assert.is((await setup({ command })).kind, "done-before");
});

test("runSetup() sees a change that keeps size and time", async () => {
  const { workspace, setup } = await prepared("echo aaaa >a");
  const { restored } = await setup({ command: "touch -r a t; printf 'bbbb\\n' >a; touch -r t a" });
  assert.equal(restored, ["a"]);
  assert.is(readFileSync(join(workspace.base, "a"), "utf8"), "aaaa\n");
});

test("runSetup() is killed when its time is up, with all that it started", async () => {
  const { setup } = await prepared("echo a >a");
  const clock = new ManualClock();
  const sleep = uniqueSleep();
  const work = setup({
    command: `echo begun; sleep ${sleep}`,
    timeoutMs: 5_000,
    clock,
    onOutput: () => {},
  }).catch((reason) => reason);
  await until("the command runs", () => processesWith(sleep).length > 0);
  clock.advance(5_000);
  const error = await work;
  assert.ok(isSidecanaryError(error, "host-failed"), String(error));
  assert.equal([error.details.fault, error.details.kind], ["limit-reached", "never"]);
  assert.match(error.message, /did not end within 5 s[^]*begun/);
  await until("the command is gone", () => processesWith(sleep).length === 0);
});

test("runSetup() runs again after its connection was lost, when the first has ended", async () => {
  const { from, host, workspace, setup } = await prepared("echo a >a; echo out >.gitignore");
  const sleep = uniqueSleep();
  const shell = host.connect();
  const { payload } = await from.capture();
  const work = runSetup(shell, workspace, {
    command: `echo run >>out; [ -f "$HOME/second" ] || { touch "$HOME/second"; sleep ${sleep}; }`,
    payload,
    timeoutMs: 60_000,
    signal: CALM,
  }).catch((reason) => reason);
  await until("the command runs", () => processesWith(sleep).length > 0);
  shell.cut();
  const lost = await work;
  assert.ok(isSidecanaryError(lost, "host-failed"), String(lost));
  assert.is(lost.details.kind, "reconnect");
  const again = await setup({
    command: `echo run >>out; [ -f "$HOME/second" ] || { touch "$HOME/second"; sleep ${sleep}; }`,
  });
  assert.is(again.kind, "ran");
  assert.equal(processesWith(sleep), []);
  assert.is(readFileSync(join(workspace.base, "out"), "utf8"), "run\nrun\n");
});

test("runSetup() ends with the signal's reason, and so does the command", async () => {
  const { setup } = await prepared("echo a >a");
  const sleep = uniqueSleep();
  const stop = new AbortController();
  const work = setup({ command: `sleep ${sleep}`, signal: stop.signal }).catch((reason) => reason);
  await until("the command runs", () => processesWith(sleep).length > 0);
  const reason = new Error("enough");
  stop.abort(reason);
  assert.is(await work, reason);
  await until("the command is gone", () => processesWith(sleep).length === 0);
});

test("runSetup() refuses a base of another payload", async () => {
  const { from, setup } = await prepared("echo a >a");
  await from.sh("echo b >a");
  const error = await setup({}).catch((reason) => reason);
  assert.ok(isSidecanaryError(error, "host-failed"), String(error));
  assert.match(error.message, /Deliver it first/);
});

test("setupKey() counts the command, and name and content of the lock files alone", () => {
  const files = [
    { path: "a", oid: "1" },
    { path: "w/requirements-dev.txt", oid: "2" },
    { path: "yarn.lock", oid: "3" },
  ];
  const changed = (at: number) => files.map((file, n) => n === at ? { ...file, oid: "9" } : file);
  const key = setupKey("c", undefined, files);
  assert.is(setupKey("c", undefined, [...files].reverse()), key);
  assert.is(setupKey("c", undefined, changed(0)), key);
  for (const at of [1, 2]) assert.is.not(setupKey("c", undefined, changed(at)), key);
  assert.is.not(setupKey("d", undefined, files), key);
  assert.is.not(setupKey("c", ["a"], files), setupKey("c", ["a"], changed(0)));
  assert.is(setupKey("c", ["a"], files), setupKey("c", ["a"], changed(2)));
  assert.is.not(setupKey("c", ["missing"], files), setupKey("c", [], files));
});
