import * as assert from "uvu/assert";
import { join } from "node:path";
import { isSidecanaryError } from "../../runtime/errors.ts";
import { capturePayload } from "../../runtime/sync/capture.ts";
import { checkoutPayload } from "../../runtime/sync/checkout.ts";
import type { Payload } from "../../runtime/sync/payload.ts";
import { suite } from "../harness.ts";
import { type GitRepo, gitRepo } from "../kit/git-repo.ts";
import { tempDir } from "../kit/temp-dir.ts";
import { treeDigest } from "../kit/tree-digest.ts";

const test = suite("capturePayload");

/** Captures, proves that nothing of the user's was touched, and checks the payload out. */
async function capture(
  repo: GitRepo,
  cwd = repo.dir,
  mtimes: "none" | "exact" = "exact",
): Promise<{ payload: Payload; out: string; names: string[] }> {
  const scratch = await tempDir();
  const before = await treeDigest(repo.base, { folders: true, mtimes });
  const payload = await capturePayload({ cwd, scratch });
  assert.equal(await treeDigest(repo.base, { folders: true, mtimes }), before);
  // git's own opinion of the tree and of the objects it is made of.
  await repo.sh(`export GIT_DIR='${payload.gitDir}'
    git -c fsck.hasDotgit=ignore fsck --strict --no-dangling; [ "$(git write-tree)" = ${payload.tree} ]
    [ "$(git ls-tree -r --name-only -z ${payload.tree} | tr -cd '\\0' | wc -c)" = ${payload.files} ]`);
  const out = await tempDir();
  await checkoutPayload(payload, out);
  const lines = await treeDigest(out);
  const names = lines.map((line) => line.slice(0, line.search(/ [fl]\d* ?/)));
  assert.is(payload.files, names.length);
  return { payload, out, names };
}

/** Captures and proves that the checkout is the live tree but for `.git` and `without`. */
async function same(
  repo: GitRepo,
  without: string[] = [],
  mtimes: "none" | "exact" = "exact",
): Promise<Payload> {
  const { payload, out } = await capture(repo, repo.dir, mtimes);
  const all = [".git", ...without];
  assert.equal(await treeDigest(out), await treeDigest(repo.dir, { without: all }));
  return payload;
}

const DIRTY = `
  git init -q
  printf 'node_modules/\\n*.log\\n' > .gitignore
  mkdir -p src lib node_modules/dep; echo one > src/one.js; echo two > src/two.js; echo gone > lib/gone.js
  echo staged-gone > lib/staged-gone.js; echo moved > lib/from.js; echo '#!/bin/sh' > run.sh
  git add -A; git commit -qm first
  echo edited >> src/one.js
  echo staged > src/three.js; git add src/three.js; echo 'and edited' >> src/three.js
  rm lib/gone.js; git rm -q lib/staged-gone.js; git mv lib/from.js lib/to.js
  chmod +x run.sh; ln -s ../src/one.js lib/link.js; ln -s nowhere dangling; ln -s src src-link
  printf '\\000\\001\\377' > bin.dat; : > empty; echo new > untracked.txt
  echo dep > node_modules/dep/index.js; echo noise > debug.log
  git stash list > /dev/null
`;

test("GeneratePatch: capturePayload() takes HEAD, staged, unstaged, untracked, nothing ignored", async () => {
  const repo = await gitRepo(DIRTY);
  const payload = await same(repo, ["node_modules", "debug.log"]);
  assert.is(payload.head, (await repo.sh("git rev-parse HEAD")).trim());
  assert.is(payload.root, repo.dir);
  assert.is(payload.cwd, "");
  assert.is(payload.repository, true);
  assert.equal(payload.warnings, []);
});

test("capturePayload() gives files the times they have", async () => {
  const repo = await gitRepo(DIRTY);
  await repo.sh(
    "touch -d '2020-03-04 05:06:07.123456789' src/two.js; touch -hd 2019-01-01 dangling",
  );
  const { out } = await capture(repo);
  const without = [".git", "node_modules", "debug.log"];
  assert.equal(
    await treeDigest(out, { mtimes: "ms" }),
    await treeDigest(repo.dir, { mtimes: "ms", without }),
  );
});

test("GeneratePatchNoChanges: capturePayload() answers one tree for one content", async () => {
  const script = "echo a > a; mkdir d; echo b > d/b; chmod +x d/b";
  const untracked = await gitRepo(`git init -q; ${script}`);
  const staged = await gitRepo(`git init -q; ${script}; git add -A`);
  const committed = await gitRepo(`git init -q; ${script}; git add -A; git commit -qm x`);
  const plain = await gitRepo(script);
  const trees = new Set<string>();
  for (const repo of [untracked, staged, committed, plain]) trees.add((await same(repo)).tree);
  assert.equal([...trees], [(await committed.sh("git rev-parse HEAD^{tree}")).trim()]);
});

test("capturePayload() takes any file name", async () => {
  const repo = await gitRepo(String.raw`
    git init -q; mkdir ' lead' $'new\nline' ':(top)' 'é'
    for name in $'a\nb' '"quoted"' "it's" -leading --all 'a b' $'tab\t' 'back\slash' '*' '?' '[x]' '~' \
      $'cafe\xcc\x81' $'caf\xc3\xa9' $'bad\xff\xfe' '#hash' ' ' ' lead/x' $'new\nline/x' ':(top)/x' \
      'é/ü' 'a:b' 'con' 'git~1' '!bang' '%25' '$HOME' 'a\\' $'\x01' $'\xf0\x9f\xa6\x9c'; do
      printf '%s' "$name" > "$name"
    done
    git add -- $'cafe\xcc\x81' -leading; git commit -qm x`);
  const payload = await same(repo);
  assert.ok(payload.files > 25);
});

test("capturePayload() keeps bytes that git would convert", async () => {
  const repo = await gitRepo(`
    git init -q; git config core.autocrlf true; git config core.eol crlf
    git config filter.upper.clean 'tr a-z A-Z'; git config filter.upper.smudge 'tr A-Z a-z'
    git config filter.upper.required true; git config filter.lfs.clean 'exit 1'
    git config filter.lfs.required true
    printf 'one\\r\\ntwo\\r\\n' > crlf.txt; printf 'one\\ntwo\\n' > lf.txt; printf 'a\\r\\nb\\n' > mixed.txt
    echo '$Id$' > id.c; echo Word > up.txt; head -c 100000 /dev/urandom > big.bin
    printf '\\376\\377\\000a' > utf16.txt
    git add -A; git commit -qm x; git config core.safecrlf true
    cat > .gitattributes <<'X'
* text=auto
*.txt text eol=crlf
id.c ident
up.txt filter=upper
big.bin filter=lfs diff=lfs merge=lfs -text
utf16.txt text working-tree-encoding=UTF-16
lf.txt binary export-ignore
X`);
  await same(repo);
});

test("Fingerprint: capturePayload() is not fooled by flags and caches of the index", async () => {
  const repo = await gitRepo(`
    git init -q; mkdir sub; for f in assume skip plain sub/deep racy; do echo 1 > $f; done
    git add -A; git commit -qm x
    git update-index --untracked-cache; git update-index --split-index; git status > /dev/null
    printf '#!/bin/sh\\nexit 0\\n' > .git/monitor; chmod +x .git/monitor
    git config core.fsmonitor .git/monitor; git config core.ignoreStat true
    git config core.checkStat minimal; git config core.trustctime false; git config core.fileMode false
    git config index.threads 1; git config status.showUntrackedFiles no
    git status > /dev/null
    echo intent > intent; git add -N intent
    git update-index --assume-unchanged assume; git update-index --skip-worktree skip
    echo 2 > assume; echo 2 > skip; echo 2 > sub/deep; chmod +x plain; echo fresh > sub/fresh
    echo 2 > racy; touch -r plain racy`);
  await same(repo);
});

test("capturePayload() leaves out what a sparse checkout left out, and says so", async () => {
  const repo = await gitRepo(`
    git init -q; mkdir in out; echo 1 > in/a; echo 1 > out/b; echo 1 > out/c; git add -A; git commit -qm x
    git sparse-checkout set --cone --sparse-index in; mkdir -p out; echo local > out/kept
    mkdir in/new; echo 2 > in/new/a; git add in/new/a`);
  // git dates trees that it meets again when it expands a sparse index.
  const payload = await same(repo, [], "none");
  assert.is(payload.files, 3);
  assert.match(payload.warnings.join(), /sparse checkout: 2 tracked files/);
});

test("capturePayload() expands a sparse index without an object in the user's repository", async () => {
  const repo = await gitRepo(`
    git init -q; mkdir in out; echo 1 > in/a; echo 1 > out/b; git add -A; git commit -qm x
    git sparse-checkout set --cone --sparse-index in; mkdir in/new; echo 2 > in/new/a; git add in/new/a
    git ls-files --sparse -s | grep -q ^040000`);
  assert.is((await same(repo, [], "none")).files, 2);
});

test("capturePayload() takes what stands in the files in the middle of a merge", async () => {
  const repo = await gitRepo(`
    git init -q -b main; echo base > f; echo k > keep; git add -A; git commit -qm base
    git checkout -qb other; echo other > f; git commit -qam other
    git checkout -q main; echo mine > f; git commit -qam mine
    git merge other > /dev/null || true; grep -q '<<<<' f`);
  const payload = await same(repo);
  assert.is(payload.files, 2);
});

test("capturePayload() takes the files of submodules and nested repositories", async () => {
  const repo = await gitRepo(`
    git init -q lib; (cd lib; echo 1 > tracked; printf 'out/\\n' > .gitignore; git add -A; git commit -qm lib)
    mv lib ../lib; git init -q; echo top > top; printf '*.tmp\\n' > .gitignore
    git -c protocol.file.allow=always submodule --quiet add ../lib vendor/lib
    git -c protocol.file.allow=always submodule --quiet add ../lib vendor/uninitialised
    git add -A; git commit -qm x; git submodule --quiet deinit -f vendor/uninitialised
    echo dirty >> vendor/lib/tracked; echo new > vendor/lib/untracked; mkdir vendor/lib/out
    echo built > vendor/lib/out/o; git init -q nested; echo n > nested/file; echo t > nested/kept.tmp
    mkdir -p nested/deep; git init -q nested/deep/er; echo d > nested/deep/er/file
    git init -q no-files; rm -rf vendor/uninitialised/*`);
  const payload = await same(repo, [
    "vendor/lib/.git",
    "vendor/lib/out",
    "nested/.git",
    "nested/deep/er/.git",
    "no-files",
  ]);
  assert.is(payload.files, 9);
});

test("capturePayload() takes the files of a submodule that has lost its repository", async () => {
  const repo = await gitRepo(`
    git init -q lib; (cd lib; echo 1 > tracked; git add -A; git commit -qm lib); mv lib ../lib
    git init -q; git -c protocol.file.allow=always submodule --quiet add ../lib sub; git commit -qam x
    rm sub/.git; echo 2 > sub/more`);
  assert.is((await same(repo)).files, 3);
});

test("capturePayload() does not follow links that stand where folders or files were", async () => {
  const repo = await gitRepo(`
    git init -q; mkdir d e f; echo 1 > d/f; echo 1 > e/f; echo 1 > was-file; echo 1 > f/x
    git add -A; git commit -qm x; mkdir ../outside; echo secret > ../outside/f
    rm -r d; ln -s ../outside d; rm was-file; mkdir was-file; echo 2 > was-file/inner
    rm -r e; echo file > e; rm -r f; mkfifo f`);
  const payload = await same(repo, ["f"]);
  assert.is(payload.files, 3);
});

test("capturePayload() names a special file that stands where a tracked one was", async () => {
  const repo = await gitRepo(
    "git init -q; echo 1 > f; git add -A; git commit -qm x; rm f; mkfifo f",
  );
  const payload = await same(repo, ["f"]);
  assert.match(payload.warnings.join(), /f: not a regular file/);
});

test("RepoRoot: capturePayload() captures from a subdirectory the whole tree", async () => {
  const repo = await gitRepo(DIRTY);
  const { payload } = await capture(repo, join(repo.dir, "src"));
  assert.is(payload.root, repo.dir);
  assert.is(payload.cwd, "src");
  assert.is(payload.tree, (await capture(repo)).payload.tree);
});

test("capturePayload() needs no repository; .gitignore counts and node_modules is left out", async () => {
  const repo = await gitRepo(`
    mkdir -p src node_modules/x pkg/node_modules/y dist; echo a > src/a; echo b > node_modules/x/b
    echo c > pkg/node_modules/y/c; echo d > dist/d; echo dist/ > .gitignore; echo s > pkg/s`);
  const payload = await same(repo, ["node_modules", "pkg/node_modules", "dist"]);
  assert.is(payload.repository, false);
  assert.is(payload.head, null);
  assert.is(payload.files, 3);
});

test("capturePayload() captures an empty folder", async () => {
  assert.is((await same(await gitRepo("mkdir empty"))).files, 0);
});

test("capturePayload() needs no commit", async () => {
  const repo = await gitRepo("git init -q; echo a > a; git add a; echo b > b");
  const payload = await same(repo);
  assert.is(payload.head, null);
  assert.is(payload.files, 2);
});

test("capturePayload() works in a shallow clone, detached, without a remote", async () => {
  const repo = await gitRepo(`
    git init -q ../origin; cd ../origin; for i in 1 2 3; do echo $i > f; git add f; git commit -qm $i; done
    cd ../project; git clone -q --depth 1 "file://$PWD/../origin" .; git checkout -q --detach
    git remote remove origin; echo dirty >> f`);
  await same(repo);
});

test("capturePayload() works in a linked worktree", async () => {
  const repo = await gitRepo(`
    git init -q ../main; cd ../main; echo 1 > f; echo ignored > .git/info/exclude; git add f
    git commit -qm x; git worktree add -q ../project/tree; cd ../project/tree
    echo 2 >> f; echo u > untracked; echo i > ignored`);
  const { payload, names } = await capture(repo, join(repo.dir, "tree"));
  assert.is(payload.root, join(repo.dir, "tree"));
  assert.equal(names, ["f", "untracked"]);
});

test("capturePayload() keeps a tracked file that an ignore rule names", async () => {
  const repo = await gitRepo(`
    git init -q; mkdir build; echo 1 > build/kept; echo 2 > build/made; echo build/ > .gitignore
    git add -f build/kept .gitignore; git commit -qm x; echo edit >> build/kept`);
  assert.is((await same(repo, ["build/made"])).files, 2);
});

test("capturePayload() honours the user's own excludes", async () => {
  const repo = await gitRepo(`
    git init -q; echo '*.mine' > ../excludes; git config core.excludesFile "$PWD/../excludes"
    echo '*.local' > .git/info/exclude; echo 1 > a.mine; echo 1 > b.local; echo 1 > c`);
  assert.is((await same(repo, ["a.mine", "b.local"])).files, 1);
});

test("capturePayload() ignores the GIT_ variables that a hook sets", async () => {
  const other = await gitRepo("git init -q; echo other > other; git add -A; git commit -qm x");
  const repo = await gitRepo("git init -q; echo mine > mine; git add -A; git commit -qm x");
  const names = { GIT_DIR: join(other.dir, ".git"), GIT_WORK_TREE: other.dir, GIT_INDEX_FILE: "x" };
  const { env } = await import("node:process");
  Object.assign(env, names);
  try {
    await same(repo);
  } finally {
    for (const name of Object.keys(names)) delete env[name];
  }
});

test("capturePayload() leaves its own scratch folder out", async () => {
  const repo = await gitRepo("git init -q; echo a > a; mkdir -p state/own");
  const scratch = join(repo.dir, "state/own");
  const payload = await capturePayload({ cwd: repo.dir, scratch });
  assert.is(payload.files, 1);
});

async function refusal(cwd: string): Promise<{ message: string; path: string }> {
  try {
    await capturePayload({ cwd, scratch: await tempDir() });
  } catch (error) {
    if (!isSidecanaryError(error, "payload-failed")) throw error;
    return { message: error.message, path: error.details.path };
  }
  throw new Error("it was captured");
}

test("capturePayload() refuses a bare repository, the inside of .git and a folder that is gone", async () => {
  const repo = await gitRepo("git init -q; git init -q --bare bare.git");
  assert.match((await refusal(join(repo.dir, "bare.git"))).message, /bare repository/);
  assert.match((await refusal(join(repo.dir, ".git"))).message, /inside of \.git/);
  assert.match((await refusal(join(repo.dir, "gone"))).message, /does not exist/);
  // A shell: not every runtime can name such a folder.
  await repo.sh(`mkdir "$(printf 'odd\\377')"; ln -s "$(printf 'odd\\377')" link`);
  for (const name of ["odd\ufffd", "link"]) {
    assert.match((await refusal(join(repo.dir, name))).message, /UTF-8/, name);
  }
});

test("capturePayload() does not take a broken repository for a folder without one", async () => {
  const repo = await gitRepo("echo a > a; echo 'gitdir: /nowhere/at/all' > .git");
  assert.match((await refusal(repo.dir)).message, /git does not accept .* \/nowhere\/at\/all/);
});

test("capturePayload() names a file that it cannot read", async () => {
  const { geteuid, seteuid } = await import("node:process");
  const repo = await gitRepo(`
    git init -q; mkdir sub; echo 1 > sub/secret; echo 1 > open; git add -A; git commit -qm x
    echo 2 > sub/secret; chmod 0 sub/secret`);
  const scratch = await tempDir();
  // Root reads everything.
  const isRoot = geteuid?.() === 0;
  if (isRoot) {
    await repo.sh(`chown -R 65534 '${repo.base}' '${scratch}'`);
    seteuid?.(65534);
  }
  try {
    await capturePayload({ cwd: repo.dir, scratch });
    assert.unreachable();
  } catch (error) {
    assert.ok(isSidecanaryError(error, "payload-failed"), String(error));
    assert.is(error.details.path, "sub/secret");
  } finally {
    if (isRoot) seteuid?.(0);
  }
});

test("capturePayload() stops when it is aborted", async () => {
  const repo = await gitRepo("git init -q; echo a > a");
  const reason = new Error("stop");
  try {
    const signal = AbortSignal.abort(reason);
    await capturePayload({ cwd: repo.dir, scratch: await tempDir(), signal });
    assert.unreachable();
  } catch (error) {
    assert.is(error, reason);
  }
});
