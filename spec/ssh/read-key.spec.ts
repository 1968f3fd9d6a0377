import { Buffer } from "node:buffer";
import { generateKeyPairSync } from "node:crypto";
import { chmod, readdir, readFile, stat, writeFile } from "node:fs/promises";
import { join } from "node:path";
import ssh2 from "ssh2";
import * as assert from "uvu/assert";
import { isSidecanaryError } from "../../runtime/errors.ts";
import { ensureKeyPair } from "../../runtime/ssh/ensure-key-pair.ts";
import { readKey } from "../../runtime/ssh/read-key.ts";
import { keyTypeOf, publicKeyLine, wireString } from "../../runtime/ssh/wire.ts";
import { suite } from "../harness.ts";
import { runScript } from "../kit/run-script.ts";
import { tempDir } from "../kit/temp-dir.ts";

const test = suite("readKey()");
const pairs = suite("ensureKeyPair()");
const { parseKey } = ssh2.utils;

/** One in a dozen keys that ssh2 makes is malformed. */
function sshKeyPair(): { readonly private: string; readonly public: string } {
  for (;;) {
    const pair = ssh2.utils.generateKeyPairSync("ed25519");
    if (!(parseKey(pair.private) instanceof Error)) return pair;
  }
}

function encryptedKey(passphrase: string): string {
  for (;;) {
    const options = { passphrase, cipher: "aes256-ctr", rounds: 2 };
    const pair = ssh2.utils.generateKeyPairSync("ed25519", options);
    if (!(parseKey(pair.private, passphrase) instanceof Error)) return pair.private;
  }
}

async function file(text: string, mode = 0o600): Promise<string> {
  const path = join(await tempDir(), "key");
  await writeFile(path, text);
  await chmod(path, mode);
  return path;
}

async function refusal(path: string, options = {}): Promise<string> {
  try {
    await readKey(path, options);
  } catch (error) {
    if (!isSidecanaryError(error, "host-failed")) throw error;
    assert.is(error.details.fault, "bad-key");
    assert.is(error.details.kind, "never");
    return error.message;
  }
  throw new Error("the key was read");
}

/** Signs with what was read and verifies with the public half, so the two belong together. */
async function reads(text: string, type: string, publicHalf?: Uint8Array, passphrase?: string) {
  const key = await readKey(
    await file(text),
    passphrase === undefined ? {} : { passphrase: () => passphrase },
  );
  assert.is(key.type, type);
  assert.ok(key.isPrivateKey());
  if (publicHalf) assert.equal(Buffer.from(key.getPublicSSH()), Buffer.from(publicHalf));
  const message = Buffer.from("to be signed");
  assert.ok(key.verify(message, key.sign(message)) === true);
}

const KINDS = [
  ["ssh-ed25519", () => generateKeyPairSync("ed25519")],
  ["ssh-rsa", () => generateKeyPairSync("rsa", { modulusLength: 2048 })],
  ["ecdsa-sha2-nistp256", () => generateKeyPairSync("ec", { namedCurve: "P-256" })],
  ["ecdsa-sha2-nistp384", () => generateKeyPairSync("ec", { namedCurve: "P-384" })],
] as const;

for (const [type, make] of KINDS) {
  test(`readKey() reads ${type} from PKCS#8, plain and encrypted`, async () => {
    const { privateKey } = make();
    await reads(privateKey.export({ type: "pkcs8", format: "pem" }) as string, type);
    const encrypted = privateKey.export({
      type: "pkcs8",
      format: "pem",
      cipher: "aes-256-cbc",
      passphrase: "open sesame",
    }) as string;
    await reads(encrypted, type, undefined, "open sesame");
    const message = await refusal(await file(encrypted), { passphrase: () => "guess" });
    assert.match(message, "The passphrase given for the private key");
    assert.not.match(message, "guess");
  });
}

test("readKey() reads PKCS#1 and SEC1", async () => {
  const rsa = generateKeyPairSync("rsa", { modulusLength: 2048 }).privateKey;
  await reads(rsa.export({ type: "pkcs1", format: "pem" }) as string, "ssh-rsa");
  const ec = generateKeyPairSync("ec", { namedCurve: "P-256" }).privateKey;
  await reads(ec.export({ type: "sec1", format: "pem" }) as string, "ecdsa-sha2-nistp256");
});

test("readKey() reads OpenSSH's format, with ends of lines of either kind", async () => {
  const pair = sshKeyPair();
  const half = (parseKey(pair.public) as ssh2.ParsedKey).getPublicSSH();
  await reads(pair.private, "ssh-ed25519", half);
  await reads(pair.private.replaceAll("\n", "\r\n"), "ssh-ed25519", half);
});

test("every ed25519 key of PKCS#8 is one of OpenSSH's format", async () => {
  const path = await file("");
  for (let at = 0; at < 100; at++) {
    const { privateKey, publicKey } = generateKeyPairSync("ed25519");
    await writeFile(path, privateKey.export({ type: "pkcs8", format: "pem" }));
    const key = await readKey(path);
    const half = Buffer.from(publicKey.export({ format: "jwk" }).x ?? "", "base64url");
    assert.ok(Buffer.from(key.getPublicSSH()).subarray(-32).equals(half));
    assert.ok(key.verify(half, key.sign(half)) === true);
  }
});

test("every ecdsa key of OpenSSH's format signs", async () => {
  const path = await file("");
  for (const bits of [256, 384] as const) {
    for (let at = 0; at < 20; at++) {
      await writeFile(path, ssh2.utils.generateKeyPairSync("ecdsa", { bits }).private);
      const key = await readKey(path);
      const message = Buffer.from(`${at}`);
      assert.ok(key.verify(message, key.sign(message)) === true);
    }
  }
});

test("readKey() asks once for the passphrase of an encrypted key, and never else", async () => {
  const path = await file(encryptedKey("hidden"));
  const asked: string[] = [];
  const passphrase = (each: string) => {
    asked.push(each);
    return Promise.resolve("hidden");
  };
  assert.is((await readKey(path, { passphrase })).type, "ssh-ed25519");
  assert.equal(asked, [path]);
  await readKey(await file(sshKeyPair().private), { passphrase });
  assert.is(asked.length, 1);
});

test("readKey() tells a missing passphrase from a wrong one", async () => {
  const path = await file(encryptedKey("hidden"));
  assert.match(await refusal(path), "is encrypted, and there is no passphrase for it");
  assert.match(await refusal(path, { passphrase: () => undefined }), "there is no passphrase");
  assert.match(await refusal(path, { passphrase: () => "guess" }), "does not open it");
});

test("readKey() names what a file holds instead of a private key", async () => {
  const pair = sshKeyPair();
  assert.match(await refusal(await file(pair.public)), "is a public key. Name the private key");
  assert.match(await refusal(await file("hello\n")), "does not hold a private key");
  assert.match(await refusal(await file("")), "does not hold a private key");
  assert.match(await refusal(join(await tempDir(), "none")), "Cannot read the private key");
  assert.match(await refusal(await tempDir()), "Cannot read the private key");
  const type = "ssh-ed25519-cert-v01@openssh.com";
  const certificate = `${type} ${Buffer.from(wireString(type)).toString("base64")} me@here`;
  assert.match(await refusal(await file(certificate)), "is a certificate, and those are not");
});

test("readKey() refuses keys that live on a security key", async () => {
  const type = "sk-ssh-ed25519@openssh.com";
  const one = Buffer.from([0, 0, 0, 1]);
  const none = wireString("none");
  const body = Buffer.concat([
    Buffer.from("openssh-key-v1\0"),
    none,
    none,
    wireString(""),
    one,
    wireString(wireString(type)),
    wireString("handle"),
  ]).toString("base64");
  const text = `-----BEGIN OPENSSH PRIVATE KEY-----\n${body}\n-----END OPENSSH PRIVATE KEY-----\n`;
  assert.match(await refusal(await file(text)), `lives on a security key (${type})`);
});

test("readKey() refuses damaged keys and types without a counterpart in SSH", async () => {
  const { private: text } = sshKeyPair();
  const cut = text.split("\n").filter((_, at) => at !== 3).join("\n");
  assert.match(await refusal(await file(cut)), "it is damaged, or of a type");
  const ed448 = generateKeyPairSync("x25519").privateKey.export({ type: "pkcs8", format: "pem" });
  assert.match(await refusal(await file(ed448 as string)), "it is damaged, or of a type");
});

test("readKey() warns of a key that others may read, and of no other", async () => {
  const { private: text } = sshKeyPair();
  const warnings: string[] = [];
  const onWarning = (message: string) => void warnings.push(message);
  await readKey(await file(text, 0o600), { onWarning });
  await readKey(await file(text, 0o400), { onWarning });
  assert.equal(warnings, []);
  const open = await file(text, 0o644);
  await readKey(open, { onWarning });
  assert.equal(warnings, [
    `Others may read the private key ${open} (mode 644); run: chmod 600 ${open}`,
  ]);
});

pairs(
  "ensureKeyPair() makes an ed25519 key of mode 600 in OpenSSH's format, and keeps it",
  async () => {
    const dir = join(await tempDir(), "keys");
    const text = Buffer.from("to be signed");
    const pair = await ensureKeyPair(dir);
    assert.is(pair.path, join(dir, "id_ed25519"));
    assert.is((await stat(pair.path)).mode & 0o777, 0o600);
    assert.is((await stat(dir)).mode & 0o777, 0o700);
    assert.match(await readFile(pair.path, "latin1"), /^-----BEGIN OPENSSH PRIVATE KEY-----\n/);
    assert.is(keyTypeOf(pair.key.getPublicSSH()), "ssh-ed25519");
    assert.is(pair.publicLine, publicKeyLine(pair.key.getPublicSSH()));
    assert.ok(pair.key.verify(text, pair.key.sign(text)) === true);
    assert.is((await ensureKeyPair(dir)).publicLine, pair.publicLine);
    assert.equal(await readdir(dir), ["id_ed25519"]);
  },
);

pairs("ensureKeyPair() of processes at the same time agree on one key", async () => {
  const dir = join(await tempDir(), "keys");
  const one = () => runScript("kit/children/ensure-key-pair.ts", [dir]);
  const results = await Promise.all([one(), one(), one()]);
  for (const result of results) assert.is(result.code, 0, result.stderr);
  assert.is(new Set(results.map(({ stdout }) => stdout)).size, 1);
  assert.equal(await readdir(dir), ["id_ed25519"]);
}, { timeoutMs: 60_000 });

pairs("ensureKeyPair() fails with what is in its way", async () => {
  const path = await file("not a folder");
  try {
    await ensureKeyPair(path);
    assert.unreachable();
  } catch (error) {
    assert.ok(isSidecanaryError(error, "host-failed"));
    assert.match((error as Error).message, "Cannot make the key pair");
  }
});
