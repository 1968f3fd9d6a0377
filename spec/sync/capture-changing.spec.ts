import * as assert from "uvu/assert";
import { spawn } from "node:child_process";
import { chmodSync, existsSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import process from "node:process";
import { isSidecanaryError } from "../../runtime/errors.ts";
import { capturePayload } from "../../runtime/sync/capture.ts";
import { checkoutPayload } from "../../runtime/sync/checkout.ts";
import { suite } from "../harness.ts";
import { type GitRepo, gitRepo } from "../kit/git-repo.ts";
import { tempDir } from "../kit/temp-dir.ts";
import { treeDigest } from "../kit/tree-digest.ts";

const test = suite("capturePayload, files changing");

/** Runs `body` with a git that runs `script` in the repository after its first `update-index`. */
async function afterReading<T>(repo: GitRepo, script: string, body: () => Promise<T>): Promise<T> {
  const bin = await tempDir();
  const path = process.env["PATH"] ?? "";
  writeFileSync(
    join(bin, "git"),
    `#!/bin/bash
PATH='${path}'
git "$@"; code=$?
if [[ " $* " == *" update-index "* && ! -e '${bin}/done' ]]; then
  : > '${bin}/done'; unset GIT_DIR GIT_WORK_TREE GIT_INDEX_FILE; cd '${repo.dir}'; ${script}
fi
exit $code
`,
  );
  chmodSync(join(bin, "git"), 0o755);
  process.env["PATH"] = `${bin}:${path}`;
  try {
    const answer = await body();
    assert.ok(existsSync(join(bin, "done")));
    return answer;
  } finally {
    process.env["PATH"] = path;
  }
}

const CHANGES: Record<string, string> = {
  "was edited": "echo 2222 >> f",
  "was edited to the same size and time": "cp -p f ../old; echo 2 > f; touch -r ../old f",
  "was made executable": "chmod +x f",
  "was replaced by a link": "rm f; ln -s g f",
  "was deleted": "rm f",
  "came up": "mkdir h; echo new > h/i",
  "came to be ignored": "echo g > .gitignore; git rm -q --cached g",
};

for (const [name, script] of Object.entries(CHANGES)) {
  test(`capturePayload() reads again when a file ${name} meanwhile`, async () => {
    const repo = await gitRepo(
      "git init -q; echo 1 > f; echo 1 > g; git add -A; touch -d 2020-01-01 f g",
    );
    const scratch = await tempDir();
    const options = { cwd: repo.dir, scratch };
    const payload = await afterReading(repo, script, () => capturePayload(options));
    const out = await tempDir();
    await checkoutPayload(payload, out);
    const without = [".git", ...(name === "came to be ignored" ? ["g"] : [])];
    assert.equal(await treeDigest(out), await treeDigest(repo.dir, { without }));
    assert.is(payload.files, (await treeDigest(out)).length);
  });
}

test("capturePayload() reads again when a fresh file was edited to the same size meanwhile", async () => {
  const repo = await gitRepo("echo 1 > f; echo 1 > g");
  const options = { cwd: repo.dir, scratch: await tempDir() };
  const payload = await afterReading(repo, "echo 2 > f", () => capturePayload(options));
  const out = await tempDir();
  await checkoutPayload(payload, out);
  assert.equal(await treeDigest(out), await treeDigest(repo.dir));
});

test("capturePayload() gives up on a file that does not stop changing, and names it", async () => {
  const repo = await gitRepo("git init -q; echo 1 > still; echo 1 > log");
  const writer = spawn("bash", ["-c", "while :; do echo x >> log; done"], { cwd: repo.dir });
  try {
    await capturePayload({ cwd: repo.dir, scratch: await tempDir() });
    assert.unreachable();
  } catch (error) {
    assert.ok(isSidecanaryError(error, "payload-failed"), String(error));
    assert.is(error.details.path, "log");
  } finally {
    const ended = new Promise((resolve) => writer.once("close", resolve));
    writer.kill("SIGKILL");
    await ended;
  }
});
