import { spawnSync } from "node:child_process";
import { chmodSync, existsSync, mkdirSync, symlinkSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import * as assert from "uvu/assert";
import { removeTree } from "../../../runtime/sidecars/local/remove-tree.ts";
import { suite } from "../../harness.ts";
import { tempDir } from "../../kit/temp-dir.ts";

const test = suite("remove-tree");

test("removeTree() removes directories that keep their owner out, and follows no link", async () => {
  const base = await tempDir();
  const dir = join(base, "dir");
  const kept = join(base, "kept");
  mkdirSync(kept);
  writeFileSync(join(kept, "file"), "");
  for (let index = 0; index < 50; index++) {
    mkdirSync(join(dir, `d${index}`, "inner"), { recursive: true });
    writeFileSync(join(dir, `d${index}`, "inner", "file"), "");
    if (index % 5 === 0) chmodSync(join(dir, `d${index}`), 0);
  }
  symlinkSync(kept, join(dir, "link"));
  await removeTree(dir);
  assert.is(existsSync(dir), false);
  assert.is(existsSync(join(kept, "file")), true);
});

test("removeTree() is content with nothing", async () => {
  await removeTree(join(await tempDir(), "none"));
});

test("removeTree() names the file that stays and why, and removes the rest", async () => {
  const dir = join(await tempDir(), "dir");
  const inner = join(dir, "inner");
  mkdirSync(inner, { recursive: true });
  const [stays, goes] = [join(inner, "a"), join(inner, "b")];
  writeFileSync(stays, "");
  writeFileSync(goes, "");
  // Without the right to, or on a file system that does not know it, nothing stays.
  if (spawnSync("chattr", ["+i", stays]).status !== 0) return await removeTree(dir);
  try {
    const error = await removeTree(dir).then(() => undefined, (reason: unknown) => reason);
    assert.match(String(error), /^Error: EPERM/);
    assert.match(String(error), stays);
    assert.is(existsSync(goes), false);
  } finally {
    spawnSync("chattr", ["-i", stays]);
  }
  await removeTree(dir);
});
