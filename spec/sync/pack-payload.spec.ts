import * as assert from "uvu/assert";
import { rm } from "node:fs/promises";
import { git } from "../../runtime/sync/git.ts";
import { capturePayload } from "../../runtime/sync/capture.ts";
import { packPayload } from "../../runtime/sync/pack-payload.ts";
import { payloadPacker } from "../../runtime/sync/payload-packer.ts";
import { suite } from "../harness.ts";
import { gitRepo } from "../kit/git-repo.ts";
import { tempDir } from "../kit/temp-dir.ts";
import { treeDigest } from "../kit/tree-digest.ts";

const test = suite("packPayload");

const capture = async (cwd: string) => capturePayload({ cwd, scratch: await tempDir() });

/** Everything that a pack holds, by `type name`, in an empty repository. */
async function objectsOf(file: string): Promise<string[]> {
  const repo = await gitRepo("git init -q --bare .");
  await repo.sh(`git index-pack --stdin --fix-thin <'${file}' >/dev/null`);
  const list = await repo.sh(
    "git cat-file --batch-all-objects --batch-check='%(objecttype) %(objectname)'",
  );
  return list.trimEnd().split("\n");
}

test("packPayload() packs the files, the folders and one commit without parents", async () => {
  const repo = await gitRepo(
    "git init -q; echo old >a; git add -A; git commit -qm secret; mkdir d; echo b >d/b; echo new >a",
  );
  const payload = await capture(repo.dir);
  const pack = await packPayload({ payload, store: await tempDir() });
  const objects = await objectsOf(pack.file);
  const count = (type: string) => objects.filter((each) => each.startsWith(`${type} `)).length;
  assert.equal([count("commit"), count("tree"), count("blob")], [1, 2, 2]);
  assert.ok(objects.includes(`commit ${pack.commit}`));
  assert.ok(objects.includes(`tree ${payload.tree}`));
  assert.equal([pack.tree, pack.against], [payload.tree, []]);
});

test("packPayload() answers the same file again, from another capture too", async () => {
  const repo = await gitRepo("for i in $(seq 40); do echo $i >f$i; done");
  const store = await tempDir();
  const first = await packPayload({ payload: await capture(repo.dir), store });
  const again = await packPayload({ payload: await capture(repo.dir), store });
  const elsewhere = await packPayload({
    payload: await capture(repo.dir),
    store: await tempDir(),
  });
  assert.equal(again, first);
  assert.equal([elsewhere.id, elsewhere.commit], [first.id, first.commit]);
});

test("packPayload() names a pack as git names a file of its content", async () => {
  const repo = await gitRepo("echo a >a");
  const pack = await packPayload({ payload: await capture(repo.dir), store: await tempDir() });
  const named = await git(["hash-object", "--no-filters", pack.file], { cwd: "/" });
  assert.is(pack.id, named.toString().trim());
});

test("packPayload() sends the difference to a tree that was sent before", async () => {
  const repo = await gitRepo(
    "for i in $(seq 60); do head -c 20000 /dev/urandom | base64 >f$i; done",
  );
  const store = await tempDir();
  const before = await capture(repo.dir);
  const full = await packPayload({ payload: before, store });
  await rm(before.gitDir, { recursive: true });
  await repo.sh("echo more >>f7");
  const thin = await packPayload({
    payload: await capture(repo.dir),
    store,
    against: [before.tree, "0".repeat(40)],
  });
  assert.equal(thin.against, [before.tree]);
  assert.ok(full.bytes > 1_000_000, `${full.bytes}`);
  assert.ok(thin.bytes < 1_000, `${thin.bytes}`);
});

test("packPayload() takes a tree that it knows from a difference as a base", async () => {
  const repo = await gitRepo("head -c 90000 /dev/urandom | base64 >a; echo 1 >b");
  const store = await tempDir();
  const trees: string[] = [];
  const bytes: number[] = [];
  for (const script of [":", "echo 2 >>a", "echo 3 >>a"]) {
    await repo.sh(script);
    const payload = await capture(repo.dir);
    const pack = await packPayload({ payload, store, against: trees.slice(-1) });
    await rm(payload.gitDir, { recursive: true });
    trees.push(payload.tree);
    bytes.push(pack.bytes);
  }
  assert.ok(bytes[2]! < 1_000, `${bytes.join()}`);
});

test("packPayload() packs everything where the other side's trees are not known", async () => {
  const repo = await gitRepo("echo a >a");
  const payload = await capture(repo.dir);
  const store = await tempDir();
  const pack = await packPayload({ payload, store, against: ["1".repeat(40)] });
  assert.equal(pack.against, []);
});

test("packPayload() packs a payload without files", async () => {
  const repo = await gitRepo("git init -q");
  const pack = await packPayload({ payload: await capture(repo.dir), store: await tempDir() });
  assert.is(pack.tree, "4b825dc642cb6eb9a060e54bf8d69288fbee4904");
  assert.is((await objectsOf(pack.file)).length >= 1, true);
});

test("packPayload() empties a store that grew too large", async () => {
  const repo = await gitRepo("echo a >a");
  const store = await tempDir();
  const before = await capture(repo.dir);
  await packPayload({ payload: before, store });
  await repo.sh("echo b >b");
  const payload = await capture(repo.dir);
  const pack = await packPayload({ payload, store, against: [before.tree], maxStoreBytes: 10 });
  assert.equal(pack.against, []);
});

test("packPayload() leaves the user's repository as it was", async () => {
  const repo = await gitRepo("git init -q; echo a >a; git add -A; git commit -qm x; echo b >b");
  const before = await treeDigest(repo.base, { folders: true, mtimes: "exact" });
  await packPayload({ payload: await capture(repo.dir), store: await tempDir() });
  assert.equal(await treeDigest(repo.base, { folders: true, mtimes: "exact" }), before);
});

test("payloadPacker() packs once for all hosts that have the same", async () => {
  const repo = await gitRepo("echo a >a");
  const packer = payloadPacker({ payload: await capture(repo.dir), store: await tempDir() });
  const packs = await Promise.all([packer([]), packer([]), packer(["2".repeat(40)]), packer([])]);
  assert.is(packs[0], packs[1]);
  assert.is(packs[0], packs[3]);
  assert.equal(packs[2], packs[0]);
});
