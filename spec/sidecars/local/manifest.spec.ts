import { chmodSync, mkdirSync, rmSync, symlinkSync, utimesSync, writeFileSync } from "node:fs";
import { execFileSync } from "node:child_process";
import { join } from "node:path";
import * as assert from "uvu/assert";
import {
  diffManifests,
  parseEntry,
  takeManifest,
} from "../../../runtime/sidecars/local/manifest.ts";
import { suite } from "../../harness.ts";
import { tempDir } from "../../kit/temp-dir.ts";

const test = suite("manifest");

test("takeManifest() keeps names of any bytes, modes, sizes, times and link targets", async () => {
  const dir = await tempDir();
  execFileSync("sh", [
    "-c",
    "printf 12345 > \"$(printf 'a \\377\\nb')\"; chmod 640 a*; touch -d @5.25 a*",
  ], {
    cwd: dir,
  });
  symlinkSync("over there", join(dir, "link"));
  const manifest = await takeManifest(dir);
  assert.equal([...manifest.keys()].sort(), ["a \xff\nb", "link"]);
  const { type, mode, size, mtime } = parseEntry(manifest.get("a \xff\nb") ?? "");
  assert.equal([type, mode, size, Number(mtime)], ["f", 0o640, 5, 5.25]);
  assert.is(parseEntry(manifest.get("link") ?? "").target, "over there");
});

test("diffManifests() finds what came, went and was changed, also with its traces covered", async () => {
  const dir = await tempDir();
  for (const name of ["same", "gone", "grown", "forged", "mode"]) {
    writeFileSync(join(dir, name), "12");
  }
  mkdirSync(join(dir, "sub"));
  utimesSync(join(dir, "forged"), 5, 5);
  const before = await takeManifest(dir);
  rmSync(join(dir, "gone"));
  writeFileSync(join(dir, "grown"), "123");
  writeFileSync(join(dir, "forged"), "21");
  utimesSync(join(dir, "forged"), 5, 5);
  chmodSync(join(dir, "mode"), 0o755);
  writeFileSync(join(dir, "sub", "new"), "");
  const after = await takeManifest(dir);
  const traced = diffManifests(before, after, true);
  assert.equal(traced.added, ["sub/new"]);
  assert.equal([...traced.changed].sort(), ["forged", "gone", "grown", "mode"]);
  assert.equal([...diffManifests(before, after, false).changed].sort(), ["gone", "grown", "mode"]);
});
