import * as assert from "uvu/assert";
import fc from "fast-check";
import { join } from "node:path";
import { capturePayload } from "../../runtime/sync/capture.ts";
import { readChanged, verifyTree } from "../../runtime/sync/changed-blobs.ts";
import { checkoutPayload } from "../../runtime/sync/checkout.ts";
import type { Payload } from "../../runtime/sync/payload.ts";
import { writeChanged } from "../../runtime/sync/write-changed.ts";
import { type Planned, preflight } from "../../runtime/variants/preflight.ts";
import { suite } from "../harness.ts";
import { check } from "../kit/check.ts";
import { type GitRepo, gitRepo } from "../kit/git-repo.ts";
import { tempDir } from "../kit/temp-dir.ts";
import { treeDigest } from "../kit/tree-digest.ts";

const test = suite("preflight");

interface Scene {
  readonly repo: GitRepo;
  readonly payload: Payload;
}

async function scene(script: string, cwd = ""): Promise<Scene> {
  const repo = await gitRepo(`git init -q; ${script}`);
  await repo.sh("git add -A; git commit -qm base");
  const scratch = await tempDir();
  return { repo, payload: await capturePayload({ cwd: join(repo.dir, cwd), scratch }) };
}

/** The patch that `script` comes to, the tree it gives; the working tree is put back. */
async function made(
  repo: GitRepo,
  script: string,
  options = "",
): Promise<{ patch: string; tree: string }> {
  await repo.sh(`${script}; git add -A`);
  const patch = await repo.sh(`git diff --cached --binary --full-index ${options} HEAD`);
  const tree = (await repo.sh("git write-tree; git reset -q --hard")).trim();
  return { patch, tree };
}

async function one(payload: Payload, patch: string): Promise<Planned> {
  const [planned] = await preflight(payload, [{ id: "v", description: "", patch }]);
  return planned!;
}

function assertRun(planned: Planned): asserts planned is Planned & { kind: "run" } {
  assert.is(planned.kind, "run", JSON.stringify(planned));
}

const PROJECT = `
  mkdir -p src/deep lib; for i in 1 2 3 4 5 6 7 8 9; do echo "line $i" >> src/a.js; done
  cp src/a.js src/deep/b.js; echo '{}' > lib/c.json; printf '\\000\\001\\002' > bin; ln -s a.js src/link
  echo '#!/bin/sh' > run.sh; chmod +x run.sh; printf 'no end' > src/no-end; : > empty`;

/** One project with `src/a.js`, shared by the tests that leave it as it is. */
const shared: { scene?: Scene } = {};

async function project(): Promise<Scene> {
  return shared.scene ??= await scene(`${PROJECT}; cp src/a.js a.js; mkdir deep; echo z > deep/z`);
}

const CHANGES: Record<string, string> = {
  "an edit": "sed -i 's/line 5/mutant/' src/a.js",
  "a new file": "mkdir new; echo x > new/file",
  "a deletion": "rm src/deep/b.js",
  "a rename with an edit": "git mv src/a.js lib/renamed.js; sed -i 's/line 1/x/' lib/renamed.js",
  "a mode": "chmod -x run.sh",
  "a binary": "printf '\\000\\003\\002\\004' > bin",
  "a link's target": "ln -sfn deep src/link",
  "a file that becomes a link": "rm lib/c.json; ln -s ../src/a.js lib/c.json",
  "a link that becomes a file": "rm src/link; echo file > src/link",
  "a folder that becomes a file": "rm -r lib; echo file > lib",
  "a file that becomes a folder": "rm empty; mkdir empty; echo x > empty/x",
  "the last line's end": "echo >> src/no-end",
  "an empty new file": ": > other",
  "a file that is emptied": ": > src/a.js",
  "odd names": "printf x > $'é \"q\" \\t.js'; printf y > ' b b'; mkdir 'a b'; printf z > 'a b/a b'",
};

for (const [name, script] of Object.entries(CHANGES)) {
  for (const renames of ["--find-renames", "--no-renames"]) {
    test(`preflight() plans ${name} with ${renames} to the tree that git makes`, async () => {
      const { repo, payload } = await project();
      const { patch, tree } = await made(repo, script, renames);
      const planned = await one(payload, patch);
      assertRun(planned);
      assert.is(planned.tree, tree);
      assert.equal(planned.repairs, []);
      assert.is(planned.patch.toString(), patch);

      const dir = await tempDir();
      await checkoutPayload(payload, dir);
      assert.ok((await verifyTree(dir, planned.changed)).length > 0);
      await writeChanged(dir, await readChanged(payload, planned));
      assert.equal(await verifyTree(dir, planned.changed), []);
      const expected = await tempDir();
      await repo.sh(`
        export GIT_INDEX_FILE='${expected}/index'; git read-tree ${tree}
        git checkout-index -aq --prefix='${expected}/'; rm '${expected}/index'`);
      assert.equal(await treeDigest(dir), await treeDigest(expected));
    });
  }
}

test("preflight() takes patches against names that are not UTF-8", async () => {
  const { repo, payload } = await scene("printf 'one\\n' > $'caf\\xe9.txt'; echo x > x");
  const { patch, tree } = await made(repo, "printf 'two\\n' > $'caf\\xe9.txt'");
  const planned = await one(payload, patch);
  assertRun(planned);
  assert.is(planned.tree, tree);
  assert.equal(planned.changed.map((file) => file.path), ["caf\xe9.txt"]);
  assert.is(planned.location.file, "caf\ufffd.txt");
});

test("preflight() takes a patch whose bytes are not UTF-8", async () => {
  const { payload } = await scene("printf 'caf\\xe9\\n' > menu");
  const patch = "--- a/menu\n+++ b/menu\n@@ -1 +1 @@\n-caf\xe9\n+th\xe9\n";
  const variant = { id: "v", description: "", patch, patchEncoding: "latin1" as const };
  const [planned] = await preflight(payload, [variant]);
  assertRun(planned!);
  const [blob] = await readChanged(payload, planned);
  assert.is(blob?.bytes?.toString("latin1"), "th\xe9\n");
});

test("preflight() reports a patch that does not apply in git's words", async () => {
  const { payload } = await project();
  const patch = "--- a/src/a.js\n+++ b/src/a.js\n@@ -1,2 +1,2 @@\n-nothing\n+x\n line 2\n";
  const message = "error: patch failed: src/a.js:1\nerror: src/a.js: patch does not apply";
  const planned = await one(payload, patch);
  assert.is(planned.kind === "error" && planned.reason, "patch-rejected");
  assert.is(planned.kind === "error" && planned.message, message);
});

const REJECTED: Record<string, string> = {
  "a missing file": "--- a/none\n+++ b/none\n@@ -1 +1 @@\n-a\n+b\n",
  "a file that exists": "--- /dev/null\n+++ b/src/a.js\n@@ -0,0 +1 @@\n+b\n",
  "../": "--- /dev/null\n+++ b/../out\n@@ -0,0 +1 @@\n+b\n",
  ".git/": "--- /dev/null\n+++ b/.git/hooks/post-checkout\n@@ -0,0 +1 @@\n+b\n",
  "a file where a folder is": "--- /dev/null\n+++ b/src\n@@ -0,0 +1 @@\n+b\n",
  "a folder where a file is": "--- /dev/null\n+++ b/run.sh/x\n@@ -0,0 +1 @@\n+b\n",
  ".git as HFS+ reads it": "--- /dev/null\n+++ b/.g\u200cit/config\n@@ -0,0 +1 @@\n+b\n",
  ".GIT in a folder": "--- /dev/null\n+++ b/src/.GIT/config\n@@ -0,0 +1 @@\n+b\n",
  "an absolute path": "--- /dev/null\n+++ /etc/sidecanary\n@@ -0,0 +1 @@\n+b\n",
  "a path through a link": "--- /dev/null\n+++ b/dir-link/x\n@@ -0,0 +1 @@\n+b\n",
  "a path through its own link":
    "diff --git a/l b/l\nnew file mode 120000\n--- /dev/null\n+++ b/l\n@@ -0,0 +1 @@\n+/tmp\n" +
    "\\ No newline at end of file\n--- /dev/null\n+++ b/l/x\n@@ -0,0 +1 @@\n+b\n",
  "a submodule":
    "diff --git a/sub b/sub\nnew file mode 160000\nindex 0000000..1111111\n--- /dev/null\n" +
    "+++ b/sub\n@@ -0,0 +1 @@\n+Subproject commit 1111111111111111111111111111111111111111\n",
  "prose": "please change the first line\n",
  "a binary without its content": "diff --git a/bin b/bin\nindex 1234567..89abcde 100644\n" +
    "Binary files a/bin and b/bin differ\n",
};

test("preflight() rejects what leaves the payload, and what cannot be", async () => {
  const { payload } = await scene(`${PROJECT}; ln -s src dir-link`);
  for (const [name, patch] of Object.entries(REJECTED)) {
    const planned = await one(payload, patch);
    assert.is(planned.kind === "error" && planned.reason, "patch-rejected", name);
    assert.ok(planned.kind === "error" && planned.message !== "", name);
  }
});

test("preflight() calls a patch that changes nothing a no-op", async () => {
  const { payload } = await project();
  const same = "--- a/src/a.js\n+++ b/src/a.js\n@@ -1,2 +1,2 @@\n-line 1\n+line 1\n line 2\n";
  for (const patch of ["", "\n \n", same]) {
    const planned = await one(payload, patch);
    assert.is(planned.kind === "error" && planned.reason, "no-op-patch", JSON.stringify(patch));
  }
});

test("preflight() lets equal trees share the verdict of the first", async () => {
  const { repo, payload } = await project();
  const { patch } = await made(repo, CHANGES["an edit"]!);
  const { patch: other } = await made(repo, CHANGES["a mode"]!);
  const patches = [other, patch, patch.replace(/^index .*\n/m, ""), patch.trimEnd()];
  const planned = await preflight(
    payload,
    patches.map((patch, at) => ({ id: `v${at}`, description: "", patch })),
  );
  assert.equal(planned.map((each) => each.kind === "duplicate" ? each.of : each.kind), [
    "run",
    "run",
    "v1",
    "v1",
  ]);
});

const HUNK = "@@ -4,3 +4,3 @@\n line 4\n-line 5\n+mutant\n line 6\n";

test("preflight() repairs what people and programs get wrong, and says what", async () => {
  const { repo, payload } = await project();
  const { tree } = await made(repo, CHANGES["an edit"]!);
  const head = "--- a/src/a.js\n+++ b/src/a.js\n";
  const repairs: [string, string[]][] = [
    [head + HUNK.trimEnd(), ["final-newline"]],
    [head + HUNK.replace("4,3 +4,3", "4,9 +4,1"), ["recount"]],
    [head + HUNK.replaceAll("line 6", "line  6"), ["recount"]],
    [(head + HUNK).replaceAll("\n", "\r\n"), ["line-endings"]],
    ["--- src/a.js\n+++ src/a.js\n" + HUNK, ["no-prefix"]],
    ["diff --git src/a.js src/a.js\n--- src/a.js\n+++ src/a.js\n" + HUNK, ["no-prefix"]],
    [head + "@@ -5 +5 @@\n-line 5\n+mutant\n", ["no-context"]],
    ["Here you are:\n```diff\n" + head + HUNK + "```\n", []],
  ];
  for (const [patch, expected] of repairs) {
    const planned = await one(payload, patch);
    assertRun(planned);
    assert.is(planned.tree, tree, patch);
    assert.equal(planned.repairs, expected, patch);
    const again = await one(payload, planned.patch.toString());
    assertRun(again);
    assert.equal([again.tree, again.repairs], [tree, []]);
  }
});

test("preflight() keeps CR LF in files that have it", async () => {
  const { payload } = await scene("printf 'one\\r\\ntwo\\r\\nthree\\r\\n' > crlf");
  const patch = "--- a/crlf\n+++ b/crlf\n@@ -1,3 +1,3 @@\n one\n-two\n+2\n three\n";
  const planned = await one(payload, patch);
  assertRun(planned);
  const [blob] = await readChanged(payload, planned);
  assert.is(blob?.bytes?.toString(), "one\r\n2\r\nthree\r\n");
  assert.equal(planned.repairs, ["line-endings"]);
});

test("preflight() takes names relative to the folder it was started in, the root's first", async () => {
  const both = "mkdir -p pkg/src; echo root > same; echo pkg > pkg/same; echo only > pkg/src/only";
  const { payload } = await scene(both, "pkg");
  const only = await one(payload, "--- a/src/only\n+++ b/src/only\n@@ -1 +1 @@\n-only\n+x\n");
  assertRun(only);
  assert.equal(only.changed.map((file) => file.path), ["pkg/src/only"]);
  assert.equal(only.repairs, ["subdirectory"]);
  assert.match(only.patch.toString(), /^diff --git a\/pkg\/src\/only[^]*\n-only\n\+x\n$/);
  const root = await one(payload, "--- a/same\n+++ b/same\n@@ -1 +1 @@\n-root\n+x\n");
  assertRun(root);
  assert.equal(root.changed.map((file) => file.path), ["same"]);
});

for (const [name, script] of Object.entries(CHANGES)) {
  test(`preflight() plans ${name} without prefixes to the tree that git makes`, async () => {
    const { repo, payload } = await scene(
      `${PROJECT}; cp src/a.js a.js; mkdir deep; echo z > deep/z`,
    );
    const { patch, tree } = await made(repo, script, "--find-renames --no-prefix");
    const planned = await one(payload, patch);
    assertRun(planned);
    assert.is(planned.tree, tree);
    assert.equal(planned.repairs, ["no-prefix"]);
  });
}

test("preflight() takes a/ and b/ for prefixes, unless they are the payload's folders", async () => {
  const { payload } = await scene("mkdir a; echo 1 > a/x; echo 1 > x; echo 1 > y");
  const paths = async (from: string, to: string): Promise<unknown> => {
    const hunk = from === "/dev/null" ? "@@ -0,0 +1 @@\n" : "@@ -1 +1 @@\n-1\n";
    const planned = await one(payload, `--- ${from}\n+++ ${to}\n${hunk}+2\n`);
    return planned.kind === "run" ? planned.changed.map((file) => file.path) : planned;
  };
  assert.equal(await paths("a/x", "b/x"), ["x"]);
  assert.equal(await paths("a/x", "a/x"), ["a/x"]);
  assert.equal(await paths("b/y", "b/y"), ["y"]);
  assert.equal(await paths("/dev/null", "b/new"), ["new"]);
  assert.equal(await paths("/dev/null", "a/new"), ["new"]);
  assert.equal(await paths("/dev/null", "src/new"), ["src/new"]);
  assert.equal(await paths("i/x", "w/x"), ["x"]);
});

test("preflight() does not take an applied patch for one without prefixes", async () => {
  const { payload } = await scene("mkdir -p lib; echo 1 > lib/x; echo 1 > x");
  for (const [from, to] of [["/dev/null", "b/x"], ["/dev/null", "lib/x"], ["lib/x", "lib/x"]]) {
    const hunk = from === "/dev/null" ? "@@ -0,0 +1 @@\n+1\n" : "@@ -1 +1 @@\n-2\n+1\n";
    const planned = await one(payload, `--- ${from}\n+++ ${to}\n${hunk}`);
    assert.is(planned.kind, "error", to);
  }
});

test("preflight() points at the first changed lines of the unpatched file", async () => {
  const { repo, payload } = await project();
  const at = async (script: string): Promise<unknown> => {
    const planned = await one(payload, (await made(repo, script, "--find-renames")).patch);
    assertRun(planned);
    return planned.location;
  };
  const file = "src/a.js";
  assert.equal(await at("sed -i '5,6s/line/x/' src/a.js"), { file, line: 5, endLine: 6 });
  assert.equal(await at("sed -i '3d' src/a.js"), { file, line: 3, endLine: 3 });
  assert.equal(await at("sed -i '3a new' src/a.js"), { file, line: 4, endLine: 4 });
  assert.equal(await at("echo end >> src/a.js"), { file, line: 9, endLine: 9 });
  assert.equal(await at("rm src/a.js"), { file, line: 1, endLine: 9 });
  assert.equal(await at("echo a > fresh"), { file: "fresh", line: 1, endLine: 1 });
  assert.equal(await at("git mv src/a.js z"), { file, line: 1, endLine: 9 });
  assert.equal(await at("chmod -x run.sh"), { file: "run.sh", line: 1, endLine: 1 });
});

test("preflight() points at the file that the patch names first", async () => {
  const { payload } = await project();
  const patch = `--- a/src/deep/b.js\n+++ b/src/deep/b.js\n${HUNK}` +
    `--- a/src/a.js\n+++ b/src/a.js\n${HUNK}`;
  const planned = await one(payload, patch);
  assertRun(planned);
  assert.equal(planned.location, { file: "src/deep/b.js", line: 5, endLine: 5 });
});

test("preflight() leaves the payload as it was", async () => {
  const { payload } = await project();
  const before = await treeDigest(payload.gitDir);
  await one(payload, "--- a/src/a.js\n+++ b/src/a.js\n" + HUNK.replace("mutant", "its own"));
  const after = await treeDigest(payload.gitDir);
  assert.equal(after.filter((line) => !before.includes(line)).length, 1, "one blob more");
  assert.equal(before.filter((line) => !after.includes(line)), []);
});

test("preflight() stops when it is aborted", async () => {
  const { payload } = await project();
  const reason = new Error("stop");
  const variants = [{ id: "v", description: "", patch: "x" }];
  try {
    await preflight(payload, variants, { signal: AbortSignal.abort(reason) });
    assert.unreachable();
  } catch (error) {
    assert.is(error, reason);
  }
});

test("preflight() agrees with git on random changes of random trees", async () => {
  const name = fc.constantFrom("a", "b", "a/a", "a/b", "b/a", "b/b/a", "a b", "é", "b/a b", "-x");
  const content = fc.array(fc.constantFrom("one", "two", "three", ""), { maxLength: 6 });
  const tree = fc.uniqueArray(fc.tuple(name, content), {
    maxLength: 6,
    selector: ([path]) => path,
  });
  const writing = (files: readonly [string, readonly string[]][]): string => {
    const steps = files.map(([path, lines]) => {
      const text = lines.map((line) => `${line}\\n`).join("");
      return `mkdir -p -- "$(dirname -- './${path}')" 2>/dev/null && ` +
        `[ ! -d './${path}' ] && printf '${text}' > './${path}' || true`;
    });
    return `${steps.join("\n")}\n:`;
  };
  await check(
    fc.asyncProperty(tree, tree, async (first, second) => {
      const { repo, payload } = await scene(`${writing(first)}; echo keep > keep`);
      const { patch, tree } = await made(repo, `git rm -rqf .; ${writing(second)}`);
      const planned = await one(payload, patch);
      if (tree === payload.tree) assert.is(planned.kind, "error");
      else assertRun(planned);
      assert.is("tree" in planned ? planned.tree : tree, tree);
    }),
    { numRuns: 20 },
  );
}, { timeoutMs: 60_000 });
