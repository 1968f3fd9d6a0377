import * as assert from "uvu/assert";
import fc from "fast-check";
import { Buffer } from "node:buffer";
import { chmodSync, existsSync, readdirSync, readFileSync } from "node:fs";
import { appendFile, lstat, mkdir, readFile, rm, truncate, writeFile } from "node:fs/promises";
import { join } from "node:path";
import process from "node:process";
import { isSidecanaryError } from "../../../runtime/errors.ts";
import { deliverPayload } from "../../../runtime/sidecars/remote/deliver.ts";
import { suite } from "../../harness.ts";
import { check } from "../../kit/check.ts";
import { CALM, deliver, lostAfter, machine, project } from "../../kit/remote-kit.ts";
import { tempDir } from "../../kit/temp-dir.ts";
import { treeDigest } from "../../kit/tree-digest.ts";

const test = suite("deliverPayload");
const digest = (dir: string) => treeDigest(dir, { without: [".git"] });
const RANDOM = (bytes: number) => `head -c ${bytes} /dev/urandom`;

test("BundleSync_SendsBundle: the base is made into any tree, and into the next one", async () => {
  const from = await project(String.raw`
    git init -q; mkdir -p 'a b/"c' d; printf 'crlf\r\n' >crlf; : >empty; ${RANDOM(3000)} >binary
    printf 'x' >'a b/"c/x$y'; ln -s ../nowhere d/link; echo run >run; chmod +x run
    echo é >$'caf\303\251'; echo n >$'new\nline'; echo '* text=auto eol=crlf' >.gitattributes
    printf 'one\ntwo\r\n' >mixed; ln -s d linked; echo t >$'tab\t'; echo -- >-dash`);
  const host = await machine();
  const workspace = await host.open();
  const first = await deliver(from, host.connect(), workspace);
  assert.is(first.kind, "full");
  assert.equal(await treeDigest(workspace.base), await digest(from.dir));
  await from.sh(
    "rm -r 'a b' linked; mkdir linked; echo f >linked/f; rm -r d; echo d >d; chmod -x run",
  );
  const second = await deliver(from, host.connect(), workspace);
  assert.is(second.kind, "delta");
  assert.equal(await treeDigest(workspace.base), await digest(from.dir));
});

test("deliverPayload() delivers names that are not UTF-8", async () => {
  const from = await project(
    String.raw`git init -q; echo l >$'caf\351'; mkdir $'\377'; echo m >$'\377/m'; git add -A`,
  );
  const host = await machine();
  const workspace = await host.open();
  await deliver(from, host.connect(), workspace);
  assert.equal(await treeDigest(workspace.base), await digest(from.dir));
});

test("deliverPayload() needs no repository, no history and no file", async () => {
  for (
    const script of [
      ":",
      "git init -q",
      "echo a >a",
      "git init -q ../o; cd ../o; for i in 1 2 3; do echo $i >f; git add f; git commit -qm $i; done; " +
      "cd ../project; git clone -q --depth 1 file://$PWD/../o .",
      "git init -q ../o; cd ../o; echo w >w; git add w; git commit -qm w; " +
      "git worktree add -q ../project/inner; cd ../project; mv inner/* inner/.git .; rmdir inner; " +
      "git -C ../o worktree repair $PWD 2>/dev/null",
      "git init -q ../o; cd ../o; echo s >s; git add s; git commit -qm s; cd ../project; git init -q; " +
      "git -c protocol.file.allow=always submodule --quiet add file://$PWD/../o sub; echo x >sub/x",
    ]
  ) {
    const from = await project(script);
    const host = await machine();
    const workspace = await host.open();
    await deliver(from, host.connect(), workspace);
    const expected = await treeDigest(from.dir, { without: [".git", "sub/.git"] });
    assert.equal(await treeDigest(workspace.base), expected, script);
  }
}, { timeoutMs: 60_000 });

test("BundleSync_NoOpSkipsBundle: one command finds that the tree is there", async () => {
  const from = await project("echo a >a");
  const host = await machine();
  const workspace = await host.open();
  await deliver(from, host.connect(), workspace);
  const shell = host.connect();
  let execs = 0;
  const counted = {
    ...shell,
    exec: (...args: Parameters<typeof shell.exec>) => (execs++, shell.exec(...args)),
  };
  const again = await deliver(from, counted, workspace);
  assert.equal([again.kind, again.sentBytes, execs], ["present", 0, 1]);
});

test("deliverPayload() sends little after a small change, and tells how much", async () => {
  const from = await project(`for i in $(seq 60); do ${RANDOM(20_000)} | base64 >f$i; done`);
  const host = await machine();
  const workspace = await host.open();
  const told: number[] = [];
  const full = await deliver(from, host.connect(), workspace, {
    onProgress: ({ sentBytes, totalBytes }) => told.push(sentBytes, totalBytes),
  });
  assert.equal(told.slice(-2), [full.sentBytes, full.sentBytes]);
  assert.is(told[0], 0);
  await from.sh("echo more >>f7");
  const delta = await deliver(from, host.connect(), workspace);
  assert.ok(full.sentBytes > 1_000_000 && delta.sentBytes < 2_000, `${delta.sentBytes}`);
  assert.equal(await treeDigest(workspace.base), await digest(from.dir));
});

test("deliverPayload() goes back to a tree that the host has without sending", async () => {
  const from = await project("echo a >a; echo b >b");
  const host = await machine();
  const workspace = await host.open();
  await deliver(from, host.connect(), workspace);
  await from.sh("rm b; echo 2 >a");
  await deliver(from, host.connect(), workspace);
  await from.sh("echo a >a; echo b >b");
  assert.is((await deliver(from, host.connect(), workspace)).sentBytes, 0);
  assert.equal(await treeDigest(workspace.base), await digest(from.dir));
});

test("BundleSync_DeltaSkipsResetOnPatchChange: files of no tree stay, only what differs is written", async () => {
  const from = await project(
    "mkdir d; echo a >a; echo b >d/b; echo c >c; echo node_modules >.gitignore",
  );
  const host = await machine();
  const workspace = await host.open();
  await deliver(from, host.connect(), workspace);
  await mkdir(join(workspace.base, "node_modules"));
  await writeFile(join(workspace.base, "node_modules", "m"), "m");
  await writeFile(join(workspace.base, "d", "built"), "o");
  const stats = (name: string) => lstat(join(workspace.base, name), { bigint: true });
  const [c, a, built] = [await stats("c"), await stats("a"), await stats("d/built")];
  await from.sh("echo 2 >a; rm -r d");
  await deliver(from, host.connect(), workspace);
  const now = await stats("a");
  assert.ok(now.mtimeNs > a.mtimeNs && now.mtimeNs >= built.mtimeNs);
  assert.equal([(await stats("c")).mtimeNs, (await stats("c")).ino], [c.mtimeNs, c.ino]);
  assert.equal(readdirSync(workspace.base).sort(), [".gitignore", "a", "c", "d", "node_modules"]);
  assert.equal(readdirSync(join(workspace.base, "d")), ["built"]);
  assert.ok(existsSync(join(workspace.base, "node_modules", "m")));
});

test("deliverPayload() mends a base that somebody changed", async () => {
  const from = await project("mkdir d; echo a >a; echo b >d/b; ln -s a l; echo x >x; chmod +x x");
  const host = await machine();
  const workspace = await host.open();
  await deliver(from, host.connect(), workspace);
  await from.sh(
    `cd '${workspace.base}'; echo z >>a; rm -r d; echo d >d; rm l; mkdir l; echo k >l/k; chmod -x x`,
  );
  await deliver(from, host.connect(), workspace);
  assert.equal(await treeDigest(workspace.base), await digest(from.dir));
});

test("deliverPayload() makes a base anew that lost its index", async () => {
  const from = await project("echo a >a; echo b >b");
  const host = await machine();
  const workspace = await host.open();
  await deliver(from, host.connect(), workspace);
  await writeFile(join(workspace.dir, "base.index"), "rubbish");
  await from.sh("rm b; echo 2 >a");
  const { warnings } = await deliver(from, host.connect(), workspace);
  assert.is(warnings.length, 1);
  assert.equal(await treeDigest(workspace.base), await digest(from.dir));
});

test("BundleSync_NoPatchFileUsesFullSync: everything is sent again to a host that lost objects", async () => {
  const from = await project("echo a >a; echo b >b");
  for (const lost of ["objects/pack/*", "objects"]) {
    const host = await machine();
    const workspace = await host.open();
    await deliver(from, host.connect(), workspace);
    await from.sh(`rm -rf '${workspace.gitDir}'/${lost}; echo $RANDOM >>a`);
    const { sentBytes } = await deliver(from, host.connect(), await host.open());
    assert.ok(sentBytes > 0);
    assert.equal(await treeDigest(workspace.base), await digest(from.dir), lost);
  }
});

test("deliverPayload() goes on where a connection was lost, at any byte", async () => {
  const from = await project(`${RANDOM(900_000)} >r; echo a >a`);
  const { payload, pack } = await from.capture();
  const { bytes } = await pack([]);
  const expected = await digest(from.dir);
  const cuts = fc.array(fc.integer({ min: 0, max: bytes }), { minLength: 1, maxLength: 3 });
  await check(
    fc.asyncProperty(cuts, async (points) => {
      const host = await machine();
      const workspace = await host.open();
      const offsets: number[] = [];
      let sent = 0;
      const once = async (point: number) => {
        const whole = host.connect();
        const connection = lostAfter(whole, point);
        let from: number | undefined;
        let last = 0;
        try {
          await deliverPayload(connection, workspace, {
            pack,
            tree: payload.tree,
            signal: CALM,
            onProgress: ({ sentBytes }) => last = sentBytes - (from ??= sentBytes),
          });
        } catch (error) {
          assert.ok(isSidecanaryError(error, "host-failed"), String(error));
          assert.is(error.details.kind, "reconnect");
        }
        // What is on its way when the connection is lost arrives, if slowly.
        await whole.quiet();
        sent += last;
        if (from !== undefined) offsets.push(from);
      };
      for (const point of points) await once(point);
      await once(Infinity);
      assert.equal(offsets, [...offsets].sort((a, b) => a - b));
      // What was under way when the connection was lost: a chunk and what a pipe holds.
      assert.ok(sent <= bytes + points.length * 400_000, `${sent} of ${bytes}`);
      assert.equal(await treeDigest(workspace.base), expected);
    }),
    { numRuns: 15, examples: [[[0]], [[1]], [[bytes - 1]], [[bytes]], [[300_000, 300_000]]] },
  );
}, { timeoutMs: 90_000 });

test("deliverPayload() sends a damaged part again", async () => {
  const from = await project(`${RANDOM(900_000)} >r`);
  for (const damage of ["flip", "longer", "garbage"]) {
    const host = await machine();
    const workspace = await host.open();
    await deliver(from, lostAfter(host.connect(), 600_000), workspace).catch(() => {});
    const part = join(
      workspace.dir,
      readdirSync(workspace.dir).find((n) => n.startsWith("part."))!,
    );
    const bytes = await readFile(part);
    assert.ok(bytes.length > 0);
    if (damage === "flip") await writeFile(part, Buffer.from(bytes).fill(7, 40, 60));
    else if (damage === "longer") await truncate(part, 2_000_000);
    else await writeFile(part, new Uint8Array(bytes.length));
    await deliver(from, host.connect(), workspace);
    assert.equal(await treeDigest(workspace.base), await digest(from.dir), damage);
  }
}, { timeoutMs: 60_000 });

test("deliverPayload() survives a crash at any git of the host's", async () => {
  const from = await project(`${RANDOM(300_000)} >r; mkdir d; echo a >d/a; echo b >b`);
  const bin = await tempDir();
  await writeFile(
    join(bin, "git"),
    `#!/bin/sh
n=$(($(cat "$CRASH") - 1)); echo $n >"$CRASH"
if [ $n = 0 ] && grep -q @@sidecanary /proc/$PPID/cmdline; then
  case $CRASH_HOW$1 in
    after*) kill -9 $PPID;;
    between*) kill -9 $PPID; exit 137;;
    inread-tree)
      # As if it were killed when it has written the files and not yet its index.
      cp "$GIT_INDEX_FILE" '${bin}/index'; ${await realGit()} "$@"
      mv '${bin}/index' "$GIT_INDEX_FILE" || rm "$GIT_INDEX_FILE"
      kill -9 $PPID; exit 137;;
  esac
fi
exec ${await realGit()} "$@"
`,
  );
  chmodSync(join(bin, "git"), 0o755);
  for (const how of ["after", "between", "in"]) {
    for (let at = 1;; at += 1) {
      const crash = join(bin, "crash");
      await writeFile(crash, "100000");
      const host = await machine({
        PATH: `${bin}:${process.env["PATH"]}`,
        CRASH: crash,
        CRASH_HOW: how,
      });
      const workspace = await host.open();
      await from.sh("rm -rf c d; mkdir d; echo a >d/a; echo b >b");
      await deliver(from, host.connect(), workspace);
      const old = await digest(from.dir);
      await from.sh("rm -r d; echo d >d; echo 2 >b; mkdir c; echo c >c/c");
      const tree = (await from.capture()).payload.tree;
      await writeFile(crash, String(at));
      let crashed = false;
      await deliver(from, host.connect(), workspace).catch(() => crashed = true);
      await writeFile(crash, "100000");
      const marker = join(workspace.dir, "base.tree");
      if (existsSync(marker)) {
        const marked = readFileSync(marker, "utf8").trim();
        const expected = marked === tree ? await digest(from.dir) : old;
        assert.equal(await treeDigest(workspace.base), expected, `git ${at} ${how}`);
      }
      // Another tree than the one that was interrupted: nothing of it may stay.
      await from.sh("rm -r c; echo 3 >b");
      await deliver(from, host.connect(), workspace);
      assert.equal(await treeDigest(workspace.base), await digest(from.dir), `git ${at} ${how}`);
      if (!crashed && at > 12) break;
    }
  }
}, { timeoutMs: 120_000 });

test("deliverPayload() goes on after the receiver was killed in the middle of index-pack", async () => {
  const from = await project(`${RANDOM(3_000_000)} >r; echo a >a`);
  const bin = await tempDir();
  const once = join(bin, "once");
  // Dies when it has begun to write a pack, and takes the receiving shell with it.
  await writeFile(
    join(bin, "git"),
    `#!/bin/sh
if [ "$1" = index-pack ] && grep -q @@sidecanary /proc/$PPID/cmdline && mkdir '${once}' 2>/dev/null; then
  exec 5<&0
  ${await realGit()} "$@" <&5 & p=$!
  until ls "$GIT_DIR"/objects/pack/tmp_* || ! kill -0 $p; do :; done >/dev/null 2>&1
  kill -9 $PPID $p; exit 137
fi
exec ${await realGit()} "$@"
`,
  );
  chmodSync(join(bin, "git"), 0o755);
  const host = await machine({ PATH: `${bin}:${process.env["PATH"]}` });
  const workspace = await host.open();
  const error = await deliver(from, host.connect(), workspace).catch((reason) => reason);
  assert.ok(isSidecanaryError(error, "host-failed"), String(error));
  assert.is(error.details.kind, "reconnect");
  assert.ok(existsSync(join(workspace.dir, "lock")));
  const again = await deliver(from, host.connect(), workspace);
  assert.is(again.sentBytes, 0);
  assert.equal(await treeDigest(workspace.base), await digest(from.dir));
  const packs = readdirSync(join(workspace.gitDir, "objects", "pack"));
  assert.equal(packs.filter((name) => name.startsWith("tmp_")), []);
});

test("deliverPayload() takes over the lock of a process whose number is another's now", async () => {
  const from = await project("echo a >a");
  const host = await machine();
  const workspace = await host.open();
  await mkdir(join(workspace.dir, "lock"));
  await writeFile(join(workspace.dir, "lock", "pids"), `${process.pid} 1\n999999999 5\n`);
  await deliver(from, host.connect(), workspace);
  assert.equal(await treeDigest(workspace.base), await digest(from.dir));
});

test("deliverPayload() serves eight hosts at once from one pack", async () => {
  const from = await project(`${RANDOM(900_000)} >r; echo a >a`);
  const { payload, pack } = await from.capture();
  const machines = await Promise.all(Array.from({ length: 8 }, () => machine()));
  const bases = await Promise.all(machines.map(async (host) => {
    const workspace = await host.open();
    await deliverPayload(host.connect(), workspace, { pack, tree: payload.tree, signal: CALM });
    return workspace.base;
  }));
  const expected = await digest(from.dir);
  for (const base of bases) assert.equal(await treeDigest(base), expected);
}, { timeoutMs: 60_000 });

test("deliverPayload() twice at once into one workspace delivers once", async () => {
  const from = await project(`${RANDOM(300_000)} >r; echo a >a`);
  const host = await machine();
  const workspace = await host.open();
  await Promise.all([1, 2].map(() => deliver(from, host.connect(), workspace)));
  assert.equal(await treeDigest(workspace.base), await digest(from.dir));
  assert.is(existsSync(join(workspace.dir, "lock")), false);
}, { timeoutMs: 60_000 });

test("deliverPayload() says that the disk is full", async () => {
  // Making a small disk takes root.
  if (process.getuid?.() !== 0) return;
  const from = await project(`${RANDOM(3_000_000)} >r`);
  const host = await machine();
  const dir = await tempDir();
  const shell = host.connect();
  const sh = async (command: string) => {
    const exit = await shell.exec({ command, signal: CALM });
    assert.equal(exit, { kind: "exit", code: 0 }, command);
  };
  await sh(`mount -t tmpfs -o size=2m none '${dir}'`);
  try {
    const small = await machine({ XDG_CACHE_HOME: dir });
    const workspace = await small.open();
    await deliver(from, small.connect(), workspace);
    assert.unreachable();
  } catch (error) {
    assert.ok(isSidecanaryError(error, "host-failed"), String(error));
    assert.equal([error.details.fault, error.details.kind], ["limit-reached", "never"]);
    assert.match(error.message, /disk is full/);
  } finally {
    await sh(`umount '${dir}'`);
  }
});

test("deliverPayload() says so when the workspace is gone, or the pack changed", async () => {
  const from = await project("echo a >a");
  const host = await machine();
  const workspace = await host.open();
  const { payload, pack } = await from.capture();
  const options = { pack, tree: payload.tree, signal: CALM };
  await appendFile((await pack([])).file, "x");
  const changed = await deliverPayload(host.connect(), workspace, options).catch((e) => e);
  assert.ok(isSidecanaryError(changed, "payload-failed"), String(changed));
  await rm(workspace.dir, { recursive: true });
  const gone = await deliverPayload(host.connect(), workspace, options).catch((e) => e);
  assert.ok(isSidecanaryError(gone, "host-failed"), String(gone));
  assert.is(gone.details.fault, "gone");
});

test("deliverPayload() ends with the signal's reason", async () => {
  const from = await project("echo a >a");
  const host = await machine();
  const workspace = await host.open();
  const reason = new Error("enough");
  const failed = await deliver(from, host.connect(), workspace, {
    signal: AbortSignal.abort(reason),
  })
    .catch((error) => error);
  assert.is(failed, reason);
});

async function realGit(): Promise<string> {
  let path = "";
  const exit = await (await machine()).connect().exec({
    command: "command -v git",
    signal: CALM,
    onStdout: (chunk) => path += Buffer.from(chunk).toString(),
  });
  assert.equal(exit, { kind: "exit", code: 0 });
  return path.trim();
}
