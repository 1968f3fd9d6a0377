import { Buffer } from "node:buffer";
import { randomBytes } from "node:crypto";
import { readFile, writeFile } from "node:fs/promises";
import { join } from "node:path";
import fc from "fast-check";
import * as assert from "uvu/assert";
import { isSidecanaryError } from "../../runtime/errors.ts";
import type { HostKeyVerdict } from "../../runtime/ssh/host-key-policy.ts";
import { hashName, namesMatch } from "../../runtime/ssh/known-hosts-file.ts";
import { type KnownHostsOptions, knownHostsPolicy } from "../../runtime/ssh/known-hosts.ts";
import { fingerprint, publicKeyLine, wireString } from "../../runtime/ssh/wire.ts";
import { suite } from "../harness.ts";
import { check } from "../kit/check.ts";
import { tempDir } from "../kit/temp-dir.ts";

const test = suite("knownHostsPolicy()");
const names = suite("namesMatch()");

function keyOf(type: string): Buffer {
  return Buffer.concat([wireString(type), wireString(randomBytes(32))]);
}

const ED = keyOf("ssh-ed25519"), OTHER = keyOf("ssh-ed25519");
const RSA = keyOf("ssh-rsa"), EC = keyOf("ecdsa-sha2-nistp256");

async function hosts(text: string): Promise<string> {
  const path = join(await tempDir(), "known_hosts");
  await writeFile(path, text);
  return path;
}

async function ask(
  text: string,
  key: Uint8Array,
  options: Partial<KnownHostsOptions> = {},
): Promise<HostKeyVerdict> {
  const userFiles = [await hosts(text)];
  const policy = await knownHostsPolicy({ host: "build1", userFiles, ...options });
  return await policy.verify(key);
}

function messageOf(verdict: HostKeyVerdict, fault: string): string {
  if (verdict.ok) throw new Error("the key was trusted");
  assert.is(verdict.fault, fault);
  return verdict.message;
}

const trusted = async (text: string, options: Partial<KnownHostsOptions> = {}) =>
  (await ask(text, ED, options)).ok;

test("verify() trusts the key of a line with the host's name, whatever the case", async () => {
  assert.ok(await trusted(`build1 ${publicKeyLine(ED)} a comment\n`));
  assert.ok(await trusted(`BUILD1 ${publicKeyLine(ED)}`));
  assert.ok(await trusted(`build1 ${publicKeyLine(ED)}`, { host: "Build1" }));
  assert.ok(await trusted(`# note\n\n  a,build1,b\t${publicKeyLine(ED)}\r\n`));
  assert.not(await trusted(`build2 ${publicKeyLine(ED)}\n`));
  assert.not(await trusted(`# build1 ${publicKeyLine(ED)}\n`));
});

test("verify() trusts patterns, and a negated one rules its line out", async () => {
  assert.ok(await trusted(`build? ${publicKeyLine(ED)}`));
  assert.ok(await trusted(`*.net,b* ${publicKeyLine(ED)}`));
  assert.not(await trusted(`b*,!build1 ${publicKeyLine(ED)}`));
  assert.ok(await trusted(`b*,!build1 ${publicKeyLine(OTHER)}\nbuild1 ${publicKeyLine(ED)}`));
});

test("verify() trusts a hashed name", async () => {
  const salt = randomBytes(20);
  assert.ok(await trusted(`${hashName("build1", salt)} ${publicKeyLine(ED)}`));
  assert.not(await trusted(`${hashName("build2", salt)} ${publicKeyLine(ED)}`));
  const hashed = `${hashName("[build1]:2222", salt)} ${publicKeyLine(ED)}`;
  assert.ok(await trusted(hashed, { port: 2222 }));
  assert.not(await trusted(hashed));
});

test("verify() takes [host]:port for a port of its own, and a line without one as a voucher", async () => {
  const own = `[build1]:2222 ${publicKeyLine(ED)}`;
  assert.ok(await trusted(own, { port: 2222 }));
  assert.not(await trusted(own, { port: 2223 }));
  assert.not(await trusted(own));
  assert.ok(await trusted(`build1 ${publicKeyLine(ED)}`, { port: 2222 }));
  const verdict = await ask(`build1 ${publicKeyLine(OTHER)}`, ED, { port: 2222 });
  messageOf(verdict, "host-key-unknown");
  const both = `[build1]:2222 ${publicKeyLine(OTHER)}\nbuild1 ${publicKeyLine(ED)}`;
  messageOf(await ask(both, ED, { port: 2222 }), "host-key-changed");
});

test("verify() takes any of several keys in any of several files", async () => {
  const globalFiles = [await hosts(`build1 ${publicKeyLine(ED)}\n`)];
  const mine = `build1 ${publicKeyLine(RSA)}\nbuild1 ${publicKeyLine(OTHER)}\n`;
  for (const key of [RSA, ED, OTHER]) assert.ok((await ask(mine, key, { globalFiles })).ok);
});

test("algorithms are those of the known keys, an RSA key's with SHA-2", async () => {
  const userFiles = [
    await hosts([
      `build1 ${publicKeyLine(RSA)}`,
      `build1 ${publicKeyLine(EC)}`,
      `build1 ${publicKeyLine(RSA)}`,
      `build2 ${publicKeyLine(ED)}`,
      `@revoked build1 ${publicKeyLine(OTHER)}`,
    ].join("\n")),
  ];
  const of = async (host: string) => (await knownHostsPolicy({ host, userFiles })).algorithms;
  assert.equal(await of("build1"), ["rsa-sha2-512", "rsa-sha2-256", "ecdsa-sha2-nistp256"]);
  assert.equal(await of("build2"), ["ssh-ed25519"]);
  assert.equal(await of("build3"), []);
});

test("verify() names the file and the line of a key that has changed", async () => {
  const file = await hosts(`# one\nbuild1 ${publicKeyLine(OTHER)}\n`);
  const policy = await knownHostsPolicy({ host: "build1", userFiles: [file], acceptNew: true });
  const message = messageOf(await policy.verify(ED), "host-key-changed");
  assert.match(message, `but ${file}:2 has ${fingerprint(OTHER)}`);
  assert.match(message, fingerprint(ED));
  assert.match(message, `ssh-keygen -R build1 -f ${file}`);
  assert.is(await readFile(file, "utf8"), `# one\nbuild1 ${publicKeyLine(OTHER)}\n`);
});

test("verify() never trusts a revoked key, also where another line has it", async () => {
  const text = `build1 ${publicKeyLine(ED)}\n@revoked * ${publicKeyLine(ED)}\n`;
  assert.match(messageOf(await ask(text, ED), "host-key-revoked"), "known_hosts:2 revokes");
  assert.match(
    messageOf(await ask(text, ED, { port: 2222, acceptNew: true }), "host-key-revoked"),
    "known_hosts:2 revokes",
  );
});

test("verify() never trusts by a certificate authority, and says so", async () => {
  const text = `@cert-authority * ${publicKeyLine(ED)}\n@strange build1 ${publicKeyLine(ED)}\n`;
  const message = messageOf(await ask(text, ED), "host-key-unknown");
  assert.match(message, "known_hosts:1 trusts a certificate authority, which is not supported");
  assert.match(message, "has lines that cannot be read: 2.");
});

test("verify() says of an unknown host which line to add and how to look", async () => {
  const file = await hosts("");
  const policy = await knownHostsPolicy({ host: "build1", port: 2222, userFiles: [file] });
  const message = messageOf(await policy.verify(EC), "host-key-unknown");
  assert.match(message, `add this line to ${file}: [build1]:2222 ${publicKeyLine(EC)}`);
  assert.match(message, `ssh-keyscan -t ecdsa -p 2222 build1 | ssh-keygen -lf -`);
  assert.match(message, fingerprint(EC));
  await writeFile(file, `[build1]:2222 ${publicKeyLine(EC)}`);
  const again = await knownHostsPolicy({ host: "build1", port: 2222, userFiles: [file] });
  assert.ok((await again.verify(EC)).ok);
});

test("verify() with acceptNew adds the key to the first file, and knows it from then on", async () => {
  for (const hashNames of [false, true]) {
    const before = `other ${publicKeyLine(OTHER)}`;
    const file = await hosts(before);
    const options = { host: "build1", userFiles: [file], acceptNew: true, hashNames };
    assert.ok((await (await knownHostsPolicy(options)).verify(ED)).ok);
    const after = await readFile(file, "utf8");
    assert.ok(after.startsWith(`${before}\n`));
    assert.ok(after.endsWith(` ${publicKeyLine(ED)}\n`));
    assert.is(after.includes("build1"), !hashNames);
    const strict = await knownHostsPolicy({ ...options, acceptNew: false });
    assert.ok((await strict.verify(ED)).ok);
    messageOf(await strict.verify(OTHER), "host-key-changed");
  }
});

test("verify() with acceptNew makes a missing file and its folder", async () => {
  const file = join(await tempDir(), "ssh", "known_hosts");
  const policy = await knownHostsPolicy({ host: "h", userFiles: [file], acceptNew: true });
  assert.ok((await policy.verify(ED)).ok);
  assert.is(await readFile(file, "utf8"), `h ${publicKeyLine(ED)}\n`);
});

test("verify() with acceptNew does not take another type of key of a host that is known", async () => {
  const text = `build1 ${publicKeyLine(EC)}\n`;
  const verdict = await ask(text, ED, { acceptNew: true });
  assert.match(
    messageOf(verdict, "host-key-unknown"),
    "known_hosts:1 knows it by a key of another type, ecdsa-sha2-nistp256",
  );
});

test("keys that are accepted at the same time all get a line of their own", async () => {
  const file = await hosts("");
  const all = Array.from({ length: 20 }, (_, at) => ({ host: `h${at}`, key: keyOf("ssh-rsa") }));
  await Promise.all(all.map(async ({ host, key }) => {
    const policy = await knownHostsPolicy({ host, userFiles: [file], acceptNew: true });
    assert.ok((await policy.verify(key)).ok);
  }));
  const lines = (await readFile(file, "utf8")).trim().split("\n").sort();
  assert.equal(lines, all.map(({ host, key }) => `${host} ${publicKeyLine(key)}`).sort());
});

test("a file that cannot be read is an error, not an unknown host", async () => {
  try {
    await knownHostsPolicy({ host: "build1", userFiles: [await tempDir()] });
    assert.unreachable();
  } catch (error) {
    assert.ok(isSidecanaryError(error, "host-failed"));
    assert.is(error.details.fault, "config");
    assert.match(error.message, "Cannot read the known hosts in");
  }
});

test("bytes that are no key are not trusted", async () => {
  for (const bytes of [[], [0, 0], [255, 255, 255, 255], [0, 0, 0, 1, 10]]) {
    messageOf(await ask(`build1 ${publicKeyLine(ED)}`, Uint8Array.from(bytes)), "host-key-unknown");
  }
});

names("a pattern means what the regular expression of its wildcards means", () =>
  check(fc.property(
    fc.string({ unit: fc.constantFrom("a", "b", ".", "*", "?", "[", ":"), maxLength: 8 }),
    fc.string({ unit: fc.constantFrom("a", "b", ".", "[", ":"), maxLength: 8 }),
    (pattern, name) => {
      if (pattern === "") return;
      const source = pattern.replaceAll(/[.[:]/g, "\\$&").replaceAll("*", ".*").replaceAll(
        "?",
        ".",
      );
      assert.is(namesMatch(pattern, name), new RegExp(`^${source}$`).test(name));
    },
  )));

names("a hash says yes to its own name only", () =>
  check(fc.property(
    fc.domain(),
    fc.domain(),
    fc.uint8Array({ minLength: 20, maxLength: 20 }),
    (one, two, salt) => {
      assert.ok(namesMatch(hashName(one, salt), one));
      assert.is(namesMatch(hashName(one, salt), two), one === two);
    },
  )));

names("a pattern of many stars is matched in no time", () => {
  assert.not(namesMatch("*a".repeat(200) + "b", "a".repeat(5000)));
});
