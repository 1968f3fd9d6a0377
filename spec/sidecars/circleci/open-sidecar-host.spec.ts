import * as assert from "uvu/assert";
import { writeFile } from "node:fs/promises";
import { join } from "node:path";
import { systemClock } from "../../../runtime/clock.ts";
import { isSidecanaryError } from "../../../runtime/errors.ts";
import { openSidecarHost } from "../../../runtime/sidecars/circleci/open-sidecar-host.ts";
import { suite } from "../../harness.ts";
import { tempDir } from "../../kit/temp-dir.ts";

const test = suite("open-sidecar-host");

const SECRET = "a-secret-of-sixteen";

async function open(target: string, env: Readonly<Record<string, string>>, identityFile?: string) {
  const dir = await tempDir();
  return await openSidecarHost(target, {
    env,
    cwd: dir,
    stateDir: dir,
    owner: "abcdefgh",
    ...(identityFile === undefined ? {} : { identityFile }),
    acceptNew: false,
    version: "1.2.3",
    clock: systemClock,
    random: () => 0,
    signal: new AbortController().signal,
    onNotice: () => {},
  });
}

async function refusal(target: string, env: Readonly<Record<string, string>>): Promise<string> {
  const error: unknown = await open(target, env).then(() => undefined, (reason) => reason);
  assert.ok(isSidecanaryError(error, "usage"), String(error));
  assert.not.match(error.message, SECRET);
  return error.message;
}

async function fileWith(text: string): Promise<string> {
  const path = join(await tempDir(), "token");
  await writeFile(path, text);
  return path;
}

test("openSidecarHost() takes the variable's token, else the file's, and connects to nothing", async () => {
  const path = await fileWith(`${SECRET}\n`);
  for (const env of [{ SIDECANARY_TOKEN: SECRET }, { SIDECANARY_TOKEN_FILE: path }]) {
    const hosts = await open("http://127.0.0.1:1/?lanes=2", env);
    assert.equal([hosts.kind, hosts.describe()], ["host", "sidecars of 127.0.0.1:1"]);
  }
});

test("openSidecarHost() takes the identity file that is named, and no other", async () => {
  const error: unknown = await open("http://127.0.0.1:1", { SIDECANARY_TOKEN: SECRET }, "absent")
    .then(() => undefined, (reason) => reason);
  assert.ok(isSidecanaryError(error, "host-failed"), String(error));
  assert.is(error.details.fault, "bad-key");
});

test("openSidecarHost() without a token that can be one says where it was looked for", async () => {
  const target = "https://host.example";
  assert.match(await refusal(target, {}), "SIDECANARY_TOKEN_FILE");
  assert.match(await refusal(target, { SIDECANARY_TOKEN_FILE: "/nonexistent" }), "/nonexistent");
  const empty = await fileWith("\n");
  assert.match(await refusal(target, { SIDECANARY_TOKEN_FILE: empty }), `no token in ${empty}`);
  // The host's own file has the owner's name in front.
  const named = await fileWith(`jo ${SECRET}\n`);
  assert.match(await refusal(target, { SIDECANARY_TOKEN_FILE: named }), "alone");
  assert.match(await refusal(target, { SIDECANARY_TOKEN: `${SECRET}\u00e9` }), "SIDECANARY_TOKEN");
});

test("openSidecarHost() sends no token in the clear beyond this machine, unless told to", async () => {
  const env = { SIDECANARY_TOKEN: SECRET };
  for (const url of ["http://host.example", "http://127.0.0.1.example", "http://10.0.0.1:80"]) {
    assert.match(await refusal(url, env), "SIDECANARY_INSECURE_HTTP=1");
    await open(url, { ...env, SIDECANARY_INSECURE_HTTP: "1" });
  }
  for (const url of ["http://localhost:1", "http://127.0.0.9", "http://[::1]:1"]) {
    await open(url, env);
  }
});
