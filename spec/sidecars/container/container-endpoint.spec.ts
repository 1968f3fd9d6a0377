import { createHash } from "node:crypto";
import { mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import * as assert from "uvu/assert";
import { isSidecanaryError } from "../../../runtime/errors.ts";
import { containerEndpoints } from "../../../runtime/sidecars/container/container-endpoint.ts";
import { suite } from "../../harness.ts";
import { tempDir } from "../../kit/temp-dir.ts";

const test = suite("container endpoint");

test("containerEndpoints() without DOCKER_HOST are the sockets of Docker, then Podman", async () => {
  const found = await containerEndpoints(undefined, {
    DOCKER_HOST: "",
    XDG_RUNTIME_DIR: "/run/user/7",
    HOME: "/home/me",
  });
  assert.equal(found.map(({ name }) => name), [
    "unix:///var/run/docker.sock",
    "unix:///run/user/7/docker.sock",
    "unix:///home/me/.docker/run/docker.sock",
    "unix:///run/user/7/podman/podman.sock",
    "unix:///run/podman/podman.sock",
  ]);
  assert.equal((await containerEndpoints(undefined, {})).map(({ at }) => at), [
    { socketPath: "/var/run/docker.sock" },
    { socketPath: "/run/podman/podman.sock" },
  ]);
});

for (
  const [text, at] of [
    ["unix:///a/b.sock", { socketPath: "/a/b.sock" }],
    ["/a/b.sock", { socketPath: "/a/b.sock" }],
    ["tcp://build1", { host: "build1", port: 2375 }],
    ["tcp://build1:80", { host: "build1", port: 80 }],
    ["http://10.0.0.1:4000", { host: "10.0.0.1", port: 4000 }],
    ["tcp://[::1]:4000/", { host: "::1", port: 4000 }],
  ] as const
) {
  test(`containerEndpoints() reads ${text}, and looks nowhere else`, async () => {
    const env = { DOCKER_HOST: "tcp://elsewhere" };
    assert.equal((await containerEndpoints(text, env)).map((each) => each.at), [at]);
    assert.equal(
      (await containerEndpoints(undefined, { DOCKER_HOST: text })).map((each) => each.at),
      [at],
    );
  });
}

test("containerEndpoints() reads the files of TLS from DOCKER_CERT_PATH", async () => {
  const dir = await tempDir();
  for (const name of ["ca", "cert", "key"]) writeFileSync(join(dir, `${name}.pem`), `the ${name}`);
  const env = { DOCKER_TLS_VERIFY: "1", DOCKER_CERT_PATH: dir };
  const [found] = await containerEndpoints("tcp://build1", env);
  assert.equal(found, {
    name: "tcp://build1:2376",
    at: {
      host: "build1",
      port: 2376,
      tls: { ca: "the ca", cert: "the cert", key: "the key" },
    },
  });
});

for (
  const [text, why] of [
    ["npipe:////./pipe/docker_engine", "named pipes of Windows"],
    ["ssh://me@build1", "forward the socket"],
    ["unix://relative.sock", "absolute"],
    ["build1:2375", "unix:///PATH or tcp://HOST:PORT"],
    ["ftp://build1", "unix:///PATH or tcp://HOST:PORT"],
    ["tcp://", "tcp://HOST:PORT"],
    ["tcp://me:secret@build1", "tcp://HOST:PORT"],
    ["https://build1", "ca.pem"],
  ] as const
) {
  test(`containerEndpoints() refuses ${text}: ${why}`, async () => {
    try {
      await containerEndpoints(text, { HOME: "/nowhere" });
    } catch (error) {
      assert.ok(isSidecanaryError(error, "host-failed"));
      assert.equal([error.details.fault, error.details.kind], ["config", "never"]);
      assert.match(error.message, why);
      assert.not.match(error.message + error.details.host, "secret");
      return;
    }
    assert.unreachable();
  });
}

/** A folder of Docker's command line with one context in it. */
async function dockerFolder(config: string): Promise<string> {
  const dir = await tempDir();
  const hash = createHash("sha256").update("colima").digest("hex");
  mkdirSync(join(dir, "contexts/meta", hash), { recursive: true });
  const meta = { Name: "colima", Endpoints: { docker: { Host: "unix:///colima/docker.sock" } } };
  writeFileSync(join(dir, "contexts/meta", hash, "meta.json"), JSON.stringify(meta));
  writeFileSync(join(dir, "config.json"), config);
  return dir;
}

test("containerEndpoints() takes the chosen docker context, after DOCKER_HOST", async () => {
  const dir = await dockerFolder('{"currentContext":"colima"}');
  const names = async (env: Record<string, string>) =>
    (await containerEndpoints(undefined, env)).map(({ name }) => name);
  assert.equal(await names({ DOCKER_CONFIG: dir }), ["unix:///colima/docker.sock"]);
  assert.equal(await names({ DOCKER_CONFIG: dir, DOCKER_HOST: "unix:///a" }), ["unix:///a"]);
  assert.is((await names({ DOCKER_CONFIG: dir, DOCKER_CONTEXT: "default" })).length, 2);
  const plain = await dockerFolder("{}");
  assert.is((await names({ DOCKER_CONFIG: plain })).length, 2);
  assert.equal(await names({ DOCKER_CONFIG: plain, DOCKER_CONTEXT: "colima" }), [
    "unix:///colima/docker.sock",
  ]);
});

test("containerEndpoints() refuses a docker context that is unknown, and a broken file", async () => {
  const unknown = { DOCKER_CONFIG: await dockerFolder("{}"), DOCKER_CONTEXT: "gone" };
  const broken = { DOCKER_CONFIG: await dockerFolder("{") };
  for (const [env, why] of [[unknown, '"gone" names no service'], [broken, "as JSON"]] as const) {
    await containerEndpoints(undefined, env).then(() => assert.unreachable(), (error) => {
      assert.ok(isSidecanaryError(error, "host-failed"));
      assert.is(error.details.fault, "config");
      assert.match(error.message, why);
    });
  }
});
