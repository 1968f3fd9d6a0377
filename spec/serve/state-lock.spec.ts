import { readdir, readFile, writeFile } from "node:fs/promises";
import { join } from "node:path";
import * as assert from "uvu/assert";
import { isSidecanaryError } from "../../runtime/errors.ts";
import { lockState } from "../../runtime/serve/state-lock.ts";
import { currentOwner, scratchName } from "../../runtime/sidecars/local/owner.ts";
import { suite } from "../harness.ts";
import { tempDir } from "../kit/temp-dir.ts";

const test = suite("lockState");

/** An owner of this machine that no process can be: one this old has another start time. */
const dead = () => scratchName({ ...currentOwner(), started: "1" });

test("lockState() is refused while another one lives, and leaves no file when let go of", async () => {
  const dir = await tempDir();
  const unlock = await lockState(dir);
  const error: unknown = await lockState(dir).then(() => undefined, (reason) => reason);
  assert.ok(isSidecanaryError(error, "sidecar-failed"), String(error));
  assert.equal(await readdir(dir), ["lock"]);
  await unlock();
  assert.equal(await readdir(dir), []);
});

test("lockState() of many at once takes a dead lock over for one of them", async () => {
  for (let round = 0; round < 20; round++) {
    const dir = await tempDir();
    await writeFile(join(dir, "lock"), dead());
    const taken = await Promise.allSettled(Array.from({ length: 8 }, () => lockState(dir)));
    const winners = taken.flatMap((each) => each.status === "fulfilled" ? [each.value] : []);
    assert.is(winners.length, 1);
    for (const each of taken) {
      if (each.status === "rejected") assert.ok(isSidecanaryError(each.reason, "sidecar-failed"));
    }
    assert.equal(await readdir(dir), ["lock"]);
    await winners[0]?.();
    assert.equal(await readdir(dir), []);
  }
});

test("lockState() takes over where one was killed while it took over", async () => {
  const dir = await tempDir();
  for (const name of ["lock", "lock.claim"]) await writeFile(join(dir, name), dead());
  const unlock = await lockState(dir);
  assert.not.equal(await readFile(join(dir, "lock"), "utf8"), "");
  assert.equal(await readdir(dir), ["lock"]);
  await unlock();
});
