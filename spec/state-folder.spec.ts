import { existsSync } from "node:fs";
import { stat } from "node:fs/promises";
import { join } from "node:path";
import * as assert from "uvu/assert";
import { isSidecanaryError } from "../runtime/errors.ts";
import { openStateFolder } from "../runtime/state-folder.ts";
import { suite } from "./harness.ts";
import { tempDir } from "./kit/temp-dir.ts";

const test = suite("state-folder");

test("openStateFolder() makes every level, for nobody else to read, and takes what is there", async () => {
  const home = join(await tempDir(), "a", "b");
  const first = await openStateFolder(home, "/project");
  assert.equal(await openStateFolder(home, "/project"), first);
  assert.ok(existsSync(first.logs) && existsSync(first.work) && existsSync(first.payload));
  assert.is((await stat(first.dir)).mode & 0o777, 0o700);
});

test("openStateFolder() refuses a folder that cannot be made, and names it", async () => {
  const homes = ["/dev/null", "/dev/null/below"];
  // A file system that says ENOENT where it means no.
  if (existsSync("/proc/self")) homes.push("/proc/sidecanary-state", "/proc/sidecanary-state/deep");
  for (const home of homes) {
    const refused: unknown = await openStateFolder(home, "/project").catch((error) => error);
    assert.ok(isSidecanaryError(refused, "usage"), home);
    assert.match(refused.message, home);
    assert.match(refused.message, "XDG_STATE_HOME");
  }
});
