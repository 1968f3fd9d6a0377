import { readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import process from "node:process";
import * as assert from "uvu/assert";
import { isSidecanaryError } from "../../../runtime/errors.ts";
import { createLocalProvider } from "../../../runtime/sidecars/local/local-provider.ts";
import { NamespaceCell } from "../../../runtime/sidecars/local/namespace-cell.ts";
import { suite } from "../../harness.ts";
import { liveTree } from "../../kit/live-tree.ts";
import { processesWith, uniqueSleep, until } from "../../kit/processes.ts";
import { tempDir } from "../../kit/temp-dir.ts";

const test = suite("namespace-cell");
const { signal } = new AbortController();

test("run() answers lost, not a failure, when the sandbox is killed from outside", async () => {
  const { root, checkout, scratch } = await liveTree();
  const provider = await createLocalProvider({ root, checkout, scratch: [scratch], signal });
  const sidecar = await provider.create({ worker: 0 }, signal);
  const sandbox = await sidecar.open(undefined, signal);
  const sleep = uniqueSleep();
  const running = sandbox.run(`(setsid sleep ${sleep} &); sleep ${sleep}; exit 1`, {
    timeoutMs: 8_000,
    signal,
  });
  // An abandoned process becomes a child of the sandbox's first one.
  let first: number | undefined;
  await until("the first process shows", () => {
    first = processesWith(sleep).map(parentOf).find((pid) => nameOf(pid) === "cat");
    return first !== undefined;
  });
  process.kill(first ?? 0, "SIGKILL");
  const result = await running;
  assert.equal(
    [result.kind, "failure" in result && result.failure.class],
    ["lost", "sidecar-lost"],
  );
  assert.is(processesWith(sleep).length, 0);
  await sandbox.close();
  const next = await sidecar.open(undefined, signal);
  assert.is((await next.run("exit 1", { timeoutMs: 8_000, signal })).kind, "exit");
  await next.close();
  await provider.close();
});

test("a command runs with the user's own id and without capabilities in a user namespace", async () => {
  const { root, checkout, scratch } = await liveTree();
  const provider = await createLocalProvider({ root, checkout, scratch: [scratch], signal });
  const sidecar = await provider.create({ worker: 0 }, signal);
  const sandbox = await sidecar.open(undefined, signal);
  const result = await sandbox.run("id -u; grep CapEff /proc/self/status", {
    timeoutMs: 8_000,
    signal,
  });
  const own = /CapEff:\t\w+/.exec(readFileSync("/proc/self/status", "latin1"))?.[0];
  assert.is(result.stdoutTail, `${process.getuid?.()}\n${own}\n`);
  await provider.close();
});

test("open() gives up when it is aborted, and leaves nothing", async () => {
  const { root, checkout, scratch } = await liveTree();
  const provider = await createLocalProvider({ root, checkout, scratch: [scratch], signal });
  const sidecar = await provider.create({ worker: 0 }, signal);
  const controller = new AbortController();
  const opening = sidecar.open(undefined, controller.signal);
  controller.abort(new Error("enough"));
  const error = await opening.then(() => undefined, (reason) => reason);
  assert.is(String(error), "Error: enough");
  await provider.close();
});

test("open() rejects when the sandbox's first process cannot be found, and ends the rest", async () => {
  const dir = await tempDir();
  const sleep = uniqueSleep();
  writeFileSync(join(dir, "unshare"), `#!/bin/sh\necho ready\nexec sleep ${sleep}\n`, {
    mode: 0o755,
  });
  const { PATH } = process.env;
  process.env["PATH"] = `${dir}:${PATH}`;
  try {
    const options = { privilege: "root", cwd: "/", setup: "", args: [], signal } as const;
    const error = await NamespaceCell.open(options).then(() => undefined, (reason) => reason);
    assert.ok(isSidecanaryError(error, "sidecar-failed"), String(error));
    await until("no process is left", () => processesWith(sleep).length === 0);
  } finally {
    process.env["PATH"] = PATH;
  }
});

function parentOf(pid: number): number {
  return Number(statOf(pid)?.[1] ?? 0);
}

function nameOf(pid: number): string | undefined {
  try {
    return readFileSync(`/proc/${pid}/comm`, "latin1").trim();
  } catch {
    return undefined;
  }
}

function statOf(pid: number): string[] | undefined {
  try {
    const stat = readFileSync(`/proc/${pid}/stat`, "latin1");
    return stat.slice(stat.lastIndexOf(")") + 2).split(" ");
  } catch {
    return undefined;
  }
}
