import { readdirSync, symlinkSync } from "node:fs";
import { join } from "node:path";
import process from "node:process";
import * as assert from "uvu/assert";
import { isSidecanaryError } from "../../../runtime/errors.ts";
import { createLocalProvider } from "../../../runtime/sidecars/local/local-provider.ts";
import type { LocalOptions } from "../../../runtime/sidecars/local/local-provider.ts";
import { mountsBelow } from "../../../runtime/sidecars/local/mounts.ts";
import { suite } from "../../harness.ts";
import { liveTree } from "../../kit/live-tree.ts";

const test = suite("probe");
const { signal } = new AbortController();

async function options(more: Partial<LocalOptions> = {}): Promise<LocalOptions> {
  const { root, checkout, scratch } = await liveTree();
  return { root, checkout, scratch: [scratch], signal, ...more };
}

async function refusal(promise: Promise<unknown>): Promise<unknown> {
  return await promise.then(() => assert.unreachable("nothing was thrown"), (error) => error);
}

test("createLocalProvider() takes overlays where they work, and says by which right", async () => {
  const provider = await createLocalProvider(await options());
  assert.is(provider.kind, "overlay");
  const root = process.getuid?.() === 0;
  assert.is(provider.describe(), root ? "overlay" : "overlay in a user namespace");
  assert.equal(provider.refused, []);
  await provider.close();
});

test("createLocalProvider() falls back to copies without namespaces, and says why", async () => {
  const provider = await createLocalProvider(await options({ namespaces: false }));
  assert.is.not(provider.kind, "overlay");
  assert.match(provider.describe(), "at a path of its own");
  assert.match(provider.refused[0] ?? "", /^overlay: /);
  await provider.close();
});

test("createLocalProvider() refuses a wanted kind that does not work", async () => {
  const error = await refusal(
    createLocalProvider(await options({ kind: "overlay", namespaces: false })),
  );
  assert.is(isSidecanaryError(error, "sandbox-unavailable"), true, String(error));
  assert.match(String(error), /"overlay".*no namespaces/);
});

test("createLocalProvider() names the kernel's reason", async () => {
  // The kernel mounts no overlay whose lower layer is a file.
  const tree = await options();
  const error = await refusal(
    createLocalProvider({ ...tree, kind: "overlay", checkout: join(tree.root, "run.sh") }),
  );
  assert.is(isSidecanaryError(error, "sandbox-unavailable"), true, String(error));
  assert.match(String(error), /mount/);
});

test("createLocalProvider() puts no scratch files below the tree", async () => {
  const tree = await options();
  const provider = await createLocalProvider({ ...tree, scratch: [join(tree.root, "state")] });
  const sidecar = await provider.create({ worker: 0 }, signal);
  const sandbox = await sidecar.open(undefined, signal);
  const { stdoutTail } = await sandbox.run("echo $TMPDIR", { timeoutMs: 5_000, signal }) as {
    stdoutTail: string;
  };
  assert.is(stdoutTail.startsWith(tree.root), false);
  await sandbox.close();
  await provider.close();
});

test("createLocalProvider() passes over a scratch directory that it cannot write to", async () => {
  for (const [kind, namespaces] of [[undefined, true], ["copy", true], ["copy", false]] as const) {
    const tree = await options({ namespaces, ...(kind === undefined ? {} : { kind }) });
    const usable = tree.scratch ?? [];
    const provider = await createLocalProvider({ ...tree, scratch: ["/proc", ...usable] });
    assert.match(provider.refused[0] ?? "", /^\/proc: /);
    const sidecar = await provider.create({ worker: 0 }, signal);
    assert.is(readdirSync(usable[0] ?? "").length, 1);
    await sidecar.destroy();
    await provider.close();
  }
});

test("createLocalProvider() passes over a TMPDIR that does not exist", async () => {
  const tree = await options();
  const before = process.env["TMPDIR"];
  process.env["TMPDIR"] = join(tree.root, "none");
  try {
    const provider = await createLocalProvider(tree);
    await provider.close();
  } finally {
    if (before === undefined) delete process.env["TMPDIR"];
    else process.env["TMPDIR"] = before;
  }
});

test("createLocalProvider() leaves nothing when it is aborted", async () => {
  const tree = await options();
  const reason = new Error("enough");
  const error = await refusal(
    createLocalProvider({ ...tree, signal: AbortSignal.abort(reason) }),
  );
  assert.is(error, reason);
  assert.equal(readdirSync(tree.scratch?.[0] ?? ""), []);
});

test("createLocalProvider() takes a root by a link for the directory itself", async () => {
  const tree = await options();
  const link = `${tree.root}-link`;
  symlinkSync(tree.root, link);
  const provider = await createLocalProvider({ ...tree, root: link, cwd: join(link, "src") });
  const sidecar = await provider.create({ worker: 0 }, signal);
  const sandbox = await sidecar.open(undefined, signal);
  const result = await sandbox.run("cat a.txt", { timeoutMs: 5_000, signal });
  assert.equal([result.kind, result.stdoutTail], ["exit", "payload a\n"]);
  await sandbox.close();
  await provider.close();
});

test("createLocalProvider() refuses a working directory outside the root", async () => {
  const tree = await options();
  assert.instance(await refusal(createLocalProvider({ ...tree, cwd: tree.checkout })), RangeError);
});

test("mountsBelow() finds nested mount points, and not the directory itself", () => {
  assert.is(mountsBelow("/").includes("/proc"), true);
  assert.is(mountsBelow("/proc").includes("/proc"), false);
});
