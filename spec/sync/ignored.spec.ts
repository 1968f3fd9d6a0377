import * as assert from "uvu/assert";
import { capturePayload } from "../../runtime/sync/capture.ts";
import { listIgnored } from "../../runtime/sync/ignored.ts";
import { suite } from "../harness.ts";
import { gitRepo } from "../kit/git-repo.ts";
import { tempDir } from "../kit/temp-dir.ts";
import { treeDigest } from "../kit/tree-digest.ts";

const test = suite("listIgnored");

async function ignored(script: string): Promise<string[]> {
  const repo = await gitRepo(script);
  const payload = await capturePayload({ cwd: repo.dir, scratch: await tempDir() });
  const before = await treeDigest(repo.base, { folders: true, mtimes: "exact" });
  const found = await listIgnored(payload);
  assert.equal(await treeDigest(repo.base, { folders: true, mtimes: "exact" }), before);
  return found.map(({ path, folder }) => folder ? `${path}/` : path);
}

test("listIgnored() answers whole folders once, and single files", async () => {
  const found = await ignored(`
    git init -q; mkdir -p src node_modules/a/b build/deep pkg/node_modules/c; echo 1 > src/a
    echo 1 > src/a.log; echo 1 > .env; echo 1 > node_modules/a/b/c; echo 1 > build/kept; ln -s a src/l.log
    echo 1 > build/made; echo 1 > build/deep/made; echo 1 > pkg/node_modules/c/d; echo 1 > new
    printf 'node_modules\\n*.log\\n.env\\nbuild/\\n' > .gitignore; git add -A; git add -f build/kept`);
  assert.equal(found, [
    ".env",
    "build/deep/",
    "build/made",
    "node_modules/",
    "pkg/",
    "src/a.log",
    "src/l.log",
  ]);
});

test("listIgnored() asks submodules and nested repositories by their own rules", async () => {
  const found = await ignored(`
    git init -q lib; (cd lib; echo out/ > .gitignore; git add -A; git commit -qm x); mv lib ../lib
    git init -q; git -c protocol.file.allow=always submodule --quiet add ../lib sub; git commit -qm x
    mkdir sub/out; echo 1 > sub/out/o; git init -q nested; echo 1 > nested/f; echo '*.o' > nested/.gitignore
    echo 1 > nested/x.o`);
  assert.equal(found, ["nested/x.o", "sub/out/"]);
});

test("listIgnored() names node_modules where there is no repository", async () => {
  const found = await ignored(
    "mkdir -p node_modules/a p/node_modules; echo 1 > node_modules/a/b; echo 1 > f",
  );
  assert.equal(found, ["node_modules/", "p/"]);
});

test("listIgnored() takes any name", async () => {
  const found = await ignored(
    "git init -q; mkdir $'x\\n.ig'; echo 1 > $'x\\n.ig/a'; echo 1 > $'\\xff.ig'; echo '*.ig' > .gitignore",
  );
  assert.equal(found, ["x\n.ig/", "\xff.ig"]);
});
