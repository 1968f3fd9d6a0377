import * as assert from "uvu/assert";
import fc from "fast-check";
import { mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { capturePayload } from "../../runtime/sync/capture.ts";
import { checkoutPayload } from "../../runtime/sync/checkout.ts";
import { suite } from "../harness.ts";
import { check } from "../kit/check.ts";
import { gitRepo } from "../kit/git-repo.ts";
import { tempDir } from "../kit/temp-dir.ts";
import { treeDigest } from "../kit/tree-digest.ts";

const test = suite("checkoutPayload");

test("checkoutPayload() writes what was captured, whatever became of the live tree", async () => {
  const repo = await gitRepo(
    "git init -q; mkdir d; echo 1 > a; echo 1 > d/b; ln -s a l; chmod +x a",
  );
  const payload = await capturePayload({ cwd: repo.dir, scratch: await tempDir() });
  const captured = await treeDigest(repo.dir, { mtimes: "ms", without: [".git"] });
  await repo.sh("echo 2 > a; rm -r d l; git add -A; git commit -qm x; git gc -q --prune=now");
  const out = await tempDir();
  await checkoutPayload(payload, out);
  assert.equal(await treeDigest(out, { mtimes: "ms" }), captured);
});

test("checkoutPayload() never dates a file later than it was", async () => {
  const times = ["2001-02-03 04:05:06.999999999", "2020-01-01 00:00:00.000000001", "1980-01-01"];
  const repo = await gitRepo(times.map((time, at) => `touch -d '${time}' f${at}`).join("; "));
  const payload = await capturePayload({ cwd: repo.dir, scratch: await tempDir() });
  const out = await tempDir();
  await checkoutPayload(payload, out);
  const [was, is] = await Promise.all(
    [repo.dir, out].map((dir) => treeDigest(dir, { mtimes: "exact" })),
  );
  for (const [at, line] of is!.entries()) assert.ok(line <= was![at]!, `${line} / ${was![at]}`);
  assert.equal(
    await treeDigest(out, { mtimes: "ms" }),
    await treeDigest(repo.dir, { mtimes: "ms" }),
  );
});

test("checkoutPayload() does it again and again, at the same time too", async () => {
  const repo = await gitRepo("for i in $(seq 50); do echo $i > f$i; done");
  const payload = await capturePayload({ cwd: repo.dir, scratch: await tempDir() });
  const outs = await Promise.all([tempDir(), tempDir(), tempDir()]);
  await Promise.all(outs.map((out) => checkoutPayload(payload, out)));
  const expected = await treeDigest(repo.dir);
  for (const out of outs) assert.equal(await treeDigest(out), expected);
});

test("checkoutPayload() refuses a folder that is not empty", async () => {
  const repo = await gitRepo("echo a > a");
  const payload = await capturePayload({ cwd: repo.dir, scratch: await tempDir() });
  try {
    await checkoutPayload(payload, repo.dir);
    assert.unreachable();
  } catch (error) {
    assert.instance(error, RangeError);
    assert.match((error as Error).message, /is not empty/);
  }
});

test("capturePayload() and checkoutPayload() give back any tree", async () => {
  const name = fc.string({ unit: "binary", minLength: 1, maxLength: 8 })
    .filter((text) => !/[/\0\p{Surrogate}]/u.test(text) && !/^\.{1,2}$|^\.git/i.test(text))
    .filter((text) => text !== "node_modules");
  const path = fc.array(name, { minLength: 1, maxLength: 3 }).map((parts) => parts.join("/"));
  const tree = fc.uniqueArray(
    fc.record({
      path,
      bytes: fc.uint8Array({ maxLength: 40 }),
      mode: fc.constantFrom(0o644, 0o755),
    }),
    { maxLength: 8, selector: (each) => each.path },
  );
  await check(
    fc.asyncProperty(tree, fc.constantFrom("", "git init -q", "git init -q; git add -A"), async (
      files,
      script,
    ) => {
      const repo = await gitRepo(":");
      for (const { path, bytes, mode } of files) {
        try {
          mkdirSync(join(repo.dir, path, ".."), { recursive: true });
          writeFileSync(join(repo.dir, path), bytes, { mode });
        } catch {
          // A file stands where a folder is wanted, or the other way round.
        }
      }
      await repo.sh(`${script || ":"}`);
      const before = await treeDigest(repo.base, { folders: true, mtimes: "exact" });
      const payload = await capturePayload({ cwd: repo.dir, scratch: await tempDir() });
      assert.equal(await treeDigest(repo.base, { folders: true, mtimes: "exact" }), before);
      const out = await tempDir();
      await checkoutPayload(payload, out);
      assert.equal(await treeDigest(out), await treeDigest(repo.dir, { without: [".git"] }));
    }),
    { numRuns: 30 },
  );
}, { timeoutMs: 60_000 });
