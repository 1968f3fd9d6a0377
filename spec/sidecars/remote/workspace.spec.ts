import * as assert from "uvu/assert";
import { Buffer } from "node:buffer";
import {
  chmodSync,
  lstatSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  symlinkSync,
  writeFileSync,
} from "node:fs";
import { rm, rmdir } from "node:fs/promises";
import { join } from "node:path";
import process from "node:process";
import { isSidecanaryError, type SidecanaryError } from "../../../runtime/errors.ts";
import type { Host } from "../../../runtime/sidecars/host.ts";
import { openWorkspace } from "../../../runtime/sidecars/remote/workspace.ts";
import { assign, quoteWord } from "../../../runtime/sidecars/remote/workspace-script.ts";
import { suite } from "../../harness.ts";
import { CALM, deliver, machine, project } from "../../kit/remote-kit.ts";
import { shellHost } from "../../kit/shell-host.ts";
import { tempDir } from "../../kit/temp-dir.ts";
import { treeDigest } from "../../kit/tree-digest.ts";

const test = suite("openWorkspace");

const open = (host: Host, name = "spec") => openWorkspace(host, { name, signal: CALM });

async function failure(work: Promise<unknown>): Promise<SidecanaryError<"host-failed">> {
  const error = await work.then(() => undefined, (reason) => reason);
  assert.ok(isSidecanaryError(error, "host-failed"), String(error));
  return error;
}

/** A folder of programs, all that POSIX has and a workspace needs, but for `without`. */
async function programs(without: string): Promise<string> {
  const bin = await tempDir();
  const names =
    "git env sed cat cp mv rm mkdir rmdir chmod ls ln id od wc df dd find sleep touch " +
    "date cut grep sort tail tr sh";
  for (const name of names.split(" ").filter((each) => each !== without)) {
    const found = (process.env["PATH"] ?? "").split(":").map((dir) => join(dir, name));
    const real = found.find((path) => lstatSync(path, { throwIfNoEntry: false }) !== undefined);
    if (real !== undefined) symlinkSync(real, join(bin, name));
  }
  return bin;
}

test("openWorkspace() makes a folder that only its user can enter", async () => {
  const host = await machine();
  const workspace = await host.open();
  assert.is(workspace.dir, join(host.home, ".cache", "sidecanary", "spec"));
  assert.is(workspace.gitDir, `${workspace.dir}/repo.git`);
  assert.is(workspace.base, `${workspace.dir}/base`);
  assert.is(lstatSync(workspace.dir).mode & 0o777, 0o700);
  assert.match(workspace.tools.git, /^2\.\d+/);
  assert.ok((workspace.tools.freeBytes ?? 0) > 0);
  assert.is(workspace.tools.executes, true);
});

test("openWorkspace() finds the workspace that is there", async () => {
  const from = await project("echo a >a");
  const host = await machine();
  await deliver(from, host.connect(), await host.open());
  assert.is((await deliver(from, host.connect(), await host.open())).kind, "present");
});

test("openWorkspace() takes $XDG_CACHE_HOME, with any character in it", async () => {
  for (const name of ['it\'s "odd" $HOME `x`', "new\nline\n", "*é", "-n \\"]) {
    const cache = join(await tempDir(), name);
    const host = await machine({ XDG_CACHE_HOME: cache });
    const workspace = await host.open();
    assert.is(workspace.dir, join(cache, "sidecanary", "spec"));
    const from = await project("echo a >a");
    await deliver(from, host.connect(), workspace);
    assert.is(readFileSync(join(workspace.base, "a"), "utf8"), "a\n");
  }
});

test("openWorkspace() falls back to a folder of its own in /tmp", async () => {
  const name = `spec-${process.pid}-${Date.now()}`;
  for (const HOME of ["", "/dev/null"]) {
    const workspace = await open(shellHost({ env: { HOME, XDG_CACHE_HOME: "relative" } }), name);
    try {
      assert.is(workspace.dir, `/tmp/sidecanary-${process.getuid?.()}/${name}`);
      assert.is(lstatSync(join(workspace.dir, "..")).mode & 0o777, 0o700);
    } finally {
      await rm(workspace.dir, { recursive: true });
      if (readdirSync(join(workspace.dir, "..")).length === 0) {
        await rmdir(join(workspace.dir, ".."));
      }
    }
  }
});

test("openWorkspace() lets no configuration of the host's user count", async () => {
  const from = await project(
    "printf 'a\\r\\n' >a; echo 'a text eol=crlf' >.gitattributes; echo i >b",
  );
  const trap = join(await tempDir(), "hooked");
  const host = await machine({
    GIT_DIR: "/nowhere",
    GIT_INDEX_FILE: "/nowhere",
    GIT_CONFIG_COUNT: "1",
    GIT_CONFIG_KEY_0: "core.hooksPath",
    GIT_CONFIG_VALUE_0: "/nowhere",
    GIT_TRACE: "2",
  });
  mkdirSync(join(host.home, "hooks"), { recursive: true });
  for (const hook of ["post-index-change", "reference-transaction", "post-checkout"]) {
    writeFileSync(join(host.home, "hooks", hook), `#!/bin/sh\necho >'${trap}'\n`, { mode: 0o755 });
  }
  writeFileSync(
    join(host.home, ".gitconfig"),
    `[core]\nautocrlf = true\nhooksPath = ${host.home}/hooks\nfileMode = false\n[broken\n`,
  );
  const workspace = await host.open();
  await deliver(from, host.connect(), workspace);
  assert.equal(await treeDigest(workspace.base), await treeDigest(from.dir));
  assert.is(lstatSync(trap, { throwIfNoEntry: false }), undefined);
});

test("openWorkspace() needs git and the programs of POSIX alone", async () => {
  const from = await project("mkdir d; echo a >d/a; ln -s d l");
  const host = await machine({ PATH: await programs("none") });
  const workspace = await host.open();
  assert.equal([workspace.tools.unshare, workspace.tools.nsenter], [false, false]);
  await deliver(from, host.connect(), workspace);
  await from.sh("echo b >d/a");
  await deliver(from, host.connect(), workspace);
  assert.equal(await treeDigest(workspace.base), await treeDigest(from.dir));
});

test("openWorkspace() names the program that is missing", async () => {
  // Without sort, two trees would have one fingerprint and every revert would pass for proved.
  for (const tool of ["git", "df", "sort", "tail"]) {
    const error = await failure((await machine({ PATH: await programs(tool) })).open());
    assert.equal([error.details.fault, error.details.kind], ["missing-tools", "never"]);
    assert.is(error.details.detail, tool);
    assert.match(error.message, new RegExp(`has no ${tool}\\. Install`));
  }
});

test("openWorkspace() refuses a git older than 2.30 and says which it found", async () => {
  const bin = await programs("git");
  for (const version of ["git version 2.29.3", "git version 1.8.3.1 (Apple Git-33)", "rubbish"]) {
    writeFileSync(join(bin, "git"), `#!/bin/sh\necho '${version}'\n`);
    chmodSync(join(bin, "git"), 0o755);
    const error = await failure((await machine({ PATH: bin })).open());
    assert.equal([error.details.fault, error.details.kind], ["missing-tools", "never"]);
    assert.match(error.message, /git 2\.30 or newer is needed/);
    const found = /\d[\d.]+/.exec(version)?.[0] ?? "does not tell";
    assert.ok(error.message.includes(found), error.message);
  }
});

test("openWorkspace() takes a host that refuses every command for one that is starting", async () => {
  // A fake: no machine here can be put into the state of `nologin`.
  const nologin: Host = {
    ...shellHost(),
    exec: ({ onStderr }) => {
      onStderr?.(Buffer.from("System is booting up\n"));
      return Promise.resolve({ kind: "exit", code: 254 });
    },
  };
  const error = await failure(open(nologin));
  assert.equal([error.details.fault, error.details.kind], ["starting", "while-booting"]);
});

test("openWorkspace() takes a lost connection for one", async () => {
  const host = (await machine()).connect();
  host.cut();
  assert.is((await failure(open(host))).details.kind, "reconnect");
});

test("openWorkspace() refuses a name that is a path", async () => {
  for (const name of ["", "..", "a/b", "-a", "a b", "x".repeat(65)]) {
    try {
      await open(shellHost(), name);
      assert.unreachable();
    } catch (error) {
      assert.instance(error, RangeError);
    }
  }
});

test("ShellEscape: quoteWord() stands for its text, and refuses NUL", async () => {
  const texts = ["", "it's", "$(x) `y` \\", "a\nb", "*", "é", "''"];
  for (const text of texts) {
    let out = "";
    await shellHost().exec({
      command: `${assign({ text })}printf %s%s "$text" ${quoteWord(text)}`,
      onStdout: (chunk) => out += Buffer.from(chunk).toString(),
      signal: CALM,
    });
    assert.is(out, text + text);
  }
  assert.throws(() => quoteWord("a\0b"), RangeError as never);
});
