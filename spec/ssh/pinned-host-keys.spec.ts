import { Buffer } from "node:buffer";
import { randomBytes } from "node:crypto";
import { readdir } from "node:fs/promises";
import { join } from "node:path";
import * as assert from "uvu/assert";
import { fileHostKeyPins, pinnedHostKey } from "../../runtime/ssh/pinned-host-keys.ts";
import { fingerprint, wireString } from "../../runtime/ssh/wire.ts";
import { suite } from "../harness.ts";
import { runScript } from "../kit/run-script.ts";
import { tempDir } from "../kit/temp-dir.ts";

const test = suite("pinnedHostKey()");

function keyOf(type: string): Buffer {
  return Buffer.concat([wireString(type), wireString(randomBytes(32))]);
}

const KEY = keyOf("ssh-ed25519"), OTHER = keyOf("ssh-ed25519"), RSA = keyOf("ssh-rsa");

test("verify() takes the given key alone, and pins nothing", async () => {
  const dir = join(await tempDir(), "pins");
  const pins = fileHostKeyPins(dir);
  const policy = await pinnedHostKey({ id: "vm-1", pins, given: RSA });
  assert.equal(policy.algorithms, ["rsa-sha2-512", "rsa-sha2-256"]);
  assert.equal(await policy.verify(RSA), { ok: true });
  const verdict = await policy.verify(KEY);
  assert.ok(!verdict.ok && verdict.fault === "host-key-changed");
  assert.is(await pins.get("vm-1"), undefined);
});

test("HostKeyMismatch: verify() pins the first key of a host, and refuses every other from then on", async () => {
  const pins = fileHostKeyPins(join(await tempDir(), "pins"));
  const first = await pinnedHostKey({ id: "vm-1", pins });
  assert.equal(first.algorithms, []);
  assert.equal(await first.verify(KEY), { ok: true });
  for (const policy of [first, await pinnedHostKey({ id: "vm-1", pins })]) {
    assert.equal(await policy.verify(KEY), { ok: true });
    const verdict = await policy.verify(OTHER);
    assert.ok(!verdict.ok && verdict.fault === "host-key-changed");
    assert.ok(!verdict.ok && verdict.message.includes(fingerprint(KEY)));
  }
  const again = await pinnedHostKey({ id: "vm-1", pins });
  assert.equal(again.algorithms, ["ssh-ed25519"]);
  assert.equal(await (await pinnedHostKey({ id: "vm-2", pins })).verify(OTHER), { ok: true });
});

test("fileHostKeyPins() keeps any id apart from every other, and within its folder", async () => {
  const dir = join(await tempDir(), "pins");
  const pins = fileHostKeyPins(dir);
  const ids = ["../up", ".", "..", "a/b", "a b", "a%2Fb", "ü", "a"];
  const keys = ids.map(() => keyOf("ssh-ed25519"));
  for (const [at, id] of ids.entries()) await pins.set(id, keys[at] ?? KEY);
  for (const [at, id] of ids.entries()) {
    assert.ok(keys[at]?.equals(await pins.get(id) ?? Buffer.alloc(0)), id);
  }
  assert.is((await readdir(dir)).length, ids.length);
});

test("fileHostKeyPins() forgets a host that is gone, once or twice", async () => {
  const pins = fileHostKeyPins(join(await tempDir(), "pins"));
  await pins.set("vm-1", KEY);
  await pins.remove("vm-1");
  await pins.remove("vm-1");
  assert.is(await pins.get("vm-1"), undefined);
  assert.ok(OTHER.equals(await pins.set("vm-1", OTHER)));
});

test("processes that pin at the same time agree on one key", async () => {
  const dir = join(await tempDir(), "pins");
  const one = () => runScript("kit/children/pin-host-key.ts", [dir]);
  const results = await Promise.all([one(), one(), one()]);
  for (const result of results) assert.is(result.code, 0, result.stderr);
  assert.is(new Set(results.map(({ stdout }) => stdout)).size, 1);
  assert.equal(await readdir(dir), ["vm-1.pub"]);
}, { timeoutMs: 60_000 });
