import { statSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import * as assert from "uvu/assert";
import { isSidecanaryError } from "../../runtime/errors.ts";
import { loadHostKey } from "../../runtime/serve/host-key.ts";
import { suite } from "../harness.ts";
import { tempDir } from "../kit/temp-dir.ts";

const test = suite("host-key");

test("loadHostKey() makes a key for its owner only, and answers the same one ever after", async () => {
  const dir = await tempDir();
  const made = await loadHostKey(dir);
  assert.match(made.public, /^ssh-ed25519 [\w+/]{68}$/);
  assert.is(statSync(join(dir, "host-key")).mode & 0o777, 0o600);
  assert.equal(await loadHostKey(dir), made);
});

test("loadHostKey() refuses a file that is no private key", async () => {
  const dir = await tempDir();
  writeFileSync(join(dir, "host-key"), (await loadHostKey(await tempDir())).public);
  try {
    await loadHostKey(dir);
    assert.unreachable();
  } catch (error) {
    assert.ok(isSidecanaryError(error, "config-invalid"));
  }
});
