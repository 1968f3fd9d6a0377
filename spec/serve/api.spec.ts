import { generateKeyPairSync } from "node:crypto";
import { request } from "node:https";
import { connect } from "node:net";
import * as assert from "uvu/assert";
import { type ErrorCode, isSidecanaryError } from "../../runtime/errors.ts";
import { suite } from "../harness.ts";
import { ManualClock } from "../kit/manual-clock.ts";
import { TLS_CERT, TLS_KEY } from "../kit/tls-certificate.ts";
import {
  ALICE,
  api,
  BOB,
  createBody,
  dial,
  exec,
  execOnce,
  INSTANCES,
  KEY,
  keyPair,
  makeInstance,
  type TestHost,
  testHost,
} from "./serve-kit.ts";

const test = suite("api");
const NOBODY = "00000000-0000-4000-8000-000000000000";
const OTHER_TLS_KEY = generateKeyPairSync("ec", { namedCurve: "P-256" }).privateKey.export({
  type: "pkcs8",
  format: "pem",
}).toString();
let host: TestHost;
test.before(async () => {
  host = await testHost({ limits: { instances: 50, instancesPerOwner: 50, bodyBytes: 4_096 } });
});
test.after(async () => await host.close());

test("create, list, add-key and delete answer in the envelopes of the API, with the host key", async () => {
  const made = await api(host, "POST", INSTANCES, { body: createBody("shapes") });
  const { id } = made.body.data;
  const described = {
    id,
    attributes: { name: "shapes", host_key: host.hostKey },
    references: { org: { id: "org-1" }, user: { id: "alice" } },
  };
  assert.equal([made.status, made.body], [201, { data: described }]);
  assert.match(host.hostKey, /^ssh-ed25519 AAAA[\w+/=]+$/);
  const listed = await api(host, "GET", `${INSTANCES}?org_id=org-1&all=false`);
  assert.equal([listed.status, listed.body], [200, { data: [described] }]);
  const elsewhere = await api(host, "GET", `${INSTANCES}?org_id=org-2&all=true`);
  assert.equal(elsewhere.body, { data: [] });
  const path = `${INSTANCES}/${id}/ssh/add-key`;
  for (let time = 0; time < 2; time++) {
    const added = await api(host, "POST", path, { body: { public_key: KEY.public } });
    const attributes = { url: `${host.url}/i/${id}`, host_key: host.hostKey };
    assert.equal([added.status, added.body], [200, { data: { id, attributes } }]);
  }
  const deleted = await api(host, "DELETE", `${INSTANCES}/${id}`);
  assert.equal([deleted.status, deleted.body], [204, undefined]);
  const again = await api(host, "DELETE", `${INSTANCES}/${id}`);
  assert.is(again.status, 404);
  assert.match(again.body.error.title, id);
  assert.type(again.body.error.id, "string");
});

test("create answers the living instance of the same owner and name, also to racing requests", async () => {
  const racing = await Promise.all(
    Array.from({ length: 5 }, () => api(host, "POST", INSTANCES, { body: createBody("twice") })),
  );
  assert.is(new Set(racing.map(({ body }) => body.data.id)).size, 1);
  assert.equal(racing.map(({ status }) => status).sort(), [200, 200, 200, 200, 201]);
  const bobs = await api(host, "POST", INSTANCES, { token: BOB, body: createBody("twice") });
  assert.is(bobs.status, 201);
  const { id } = racing[0]?.body.data;
  await api(host, "DELETE", `${INSTANCES}/${id}`);
  const next = await api(host, "POST", INSTANCES, { body: createBody("twice") });
  assert.is(next.status, 201);
  assert.is.not(next.body.data.id, id);
});

test("an owner neither sees, uses nor destroys another's instance", async () => {
  const { id } = await makeInstance(host, "of-alice");
  for (const all of [true, false]) {
    const listed = await api(host, "GET", `${INSTANCES}?org_id=org-1&all=${all}`, { token: BOB });
    assert.not.ok(listed.body.data.some((each: { id: string }) => each.id === id));
  }
  const deleted = await api(host, "DELETE", `${INSTANCES}/${id}`, { token: BOB });
  assert.is(deleted.status, 404);
  const path = `${INSTANCES}/${id}/ssh/add-key`;
  const added = await api(host, "POST", path, { token: BOB, body: { public_key: KEY.public } });
  assert.is(added.status, 404);
  assert.ok(host.instances().some((each) => each.id === id));
});

for (
  const [what, token] of [
    ["no token", null],
    ["an empty one", ""],
    ["a wrong one", "wrong"],
    ["one that is longer", `${ALICE}x`],
    ["one that is shorter", ALICE.slice(0, -1)],
  ] as const
) {
  test(`every operation is 401 with ${what}, and nothing is made`, async () => {
    const { id } = await makeInstance(host, "kept");
    const before = host.instances().length;
    const tries = [
      api(host, "GET", INSTANCES, { token }),
      api(host, "POST", INSTANCES, { token, body: createBody("no") }),
      api(host, "DELETE", `${INSTANCES}/${id}`, { token }),
      api(host, "POST", `${INSTANCES}/${id}/ssh/add-key`, {
        token,
        body: { public_key: KEY.public },
      }),
      api(host, "GET", "/api/v3/sidecar/snapshots", { token }),
    ];
    for (const answer of await Promise.all(tries)) {
      assert.is(answer.status, 401);
      assert.match(answer.body.error.title, "Circle-Token");
      assert.not.match(JSON.stringify(answer.body), "secret");
    }
    assert.is(host.instances().length, before);
  });
}

const BODIES: readonly (readonly [string, unknown, number])[] = [
  ["no JSON", "{", 400],
  ["null", null, 400],
  ["a list", [], 400],
  ["no name", { data: { attributes: {} } }, 400],
  ["an empty name", createBody(""), 400],
  ["a name with a newline", createBody("a\nb"), 400],
  ["a name that is too long", createBody("x".repeat(256)), 400],
  ["a snapshot", { data: { attributes: { name: "a", image: "snap" } } }, 400],
  ["a body beyond the limit", JSON.stringify({ pad: "x".repeat(5_000) }), 413],
  ["bytes that are no UTF-8", "\ud800", 400],
];
for (const [what, body, status] of BODIES) {
  test(`create is ${status} with ${what}`, async () => {
    const answer = await api(host, "POST", INSTANCES, { body });
    assert.is(answer.status, status);
    assert.type(answer.body.error.title, "string");
    assert.is((await api(host, "GET", INSTANCES)).status, 200);
  });
}

test("create is 415 with another type of body", async () => {
  const response = await fetch(host.url + INSTANCES, {
    method: "POST",
    headers: { "circle-token": ALICE, "content-type": "text/plain" },
    body: "{}",
  });
  await response.text();
  assert.is(response.status, 415);
});

test("AddSSHKey private key string rejected: 400 with what is no public key, never repeated", async () => {
  const { id } = await makeInstance(host, "keys");
  const path = `${INSTANCES}/${id}/ssh/add-key`;
  for (const key of ["", "x", "ssh-ed25519 AAAA", `${KEY.public}\n${KEY.public}`, KEY.private]) {
    const answer = await api(host, "POST", path, { body: { public_key: key } });
    assert.is(answer.status, 400);
    if (key.length > 3) assert.not.match(JSON.stringify(answer.body), key.slice(0, 20));
  }
});

test("add-key takes 32 keys of one instance and no more", async () => {
  const { id } = await makeInstance(host, "many-keys");
  const statuses: number[] = [];
  for (let count = 1; count < 33; count++) {
    const { public: key } = keyPair();
    const path = `${INSTANCES}/${id}/ssh/add-key`;
    statuses.push((await api(host, "POST", path, { body: { public_key: key } })).status);
  }
  assert.equal(statuses, [...Array.from({ length: 31 }, () => 200), 400]);
});

test("methods are told apart: HEAD as GET, OPTIONS and 405 with what is allowed", async () => {
  const head = await api(host, "HEAD", INSTANCES);
  assert.equal([head.status, head.body], [200, undefined]);
  const options = await api(host, "OPTIONS", INSTANCES, { token: null });
  assert.equal([options.status, options.headers.get("allow")], [204, "GET, POST, HEAD, OPTIONS"]);
  const put = await api(host, "PUT", INSTANCES);
  assert.equal([put.status, put.headers.get("allow")], [405, "GET, POST, HEAD, OPTIONS"]);
  assert.is((await api(host, "GET", `${INSTANCES}/${NOBODY}`)).status, 405);
});

test("what the host does not have is 501, and what the API does not have is 404", async () => {
  const missing: [string, string][] = [
    ["GET", "/api/v3/sidecar/snapshots?org_id=1"],
    ["POST", "/api/v3/sidecar/snapshots"],
    ["GET", "/api/v3/sidecar/snapshots/abc"],
    ["POST", `${INSTANCES}/${NOBODY}/exec`],
    ["GET", "/api/v3/sidecar/commands/abc/output"],
  ];
  for (const [method, path] of missing) {
    assert.is((await api(host, method, path)).status, 501);
  }
  for (const path of ["/", "/api/v3/sidecar", `${INSTANCES}/`, "/api/v4/sidecar/instances"]) {
    const answer = await api(host, "GET", path);
    assert.equal([answer.status, answer.body.error.title], [404, "route not found"]);
  }
  assert.is((await api(host, "GET", `/i/${NOBODY}/ssh/tunnel`)).status, 426);
});

/** Writes a request as it stands, and answers the status line. */
function raw(target: string, token = ALICE): Promise<string> {
  return new Promise((resolve, reject) => {
    const socket = connect(Number(new URL(host.url).port), "127.0.0.1");
    let text = "";
    socket.setEncoding("latin1").on("data", (chunk: string) => text += chunk);
    socket.once("error", reject);
    socket.once("close", () => resolve(text.split("\r\n")[0] ?? ""));
    socket.write(
      `GET ${target} HTTP/1.1\r\nHost: x\r\nCircle-Token: ${token}\r\nConnection: close\r\n\r\n`,
    );
  });
}

const ESCAPES = [
  "/api/v3/sidecar/instances/../instances",
  "/api/v3/sidecar/%69nstances",
  "/%2e%2e/%2e%2e/etc/passwd",
  "//api/v3/sidecar/instances",
  "/api/v3//sidecar/instances",
  "/api/v3/sidecar/instances%00",
  "/api/v3/sidecar/instances;a",
  "/api\\v3\\sidecar\\instances",
  "http://127.0.0.1/api/v3/sidecar/instances",
  "http://evil.example/api/v3/sidecar/instances",
  "*",
];
for (const target of ESCAPES) {
  test(`a request for ${target} is not found`, async () => {
    assert.match(await raw(target), / 404 /);
  });
}

test("a NUL in a path ends the connection without an answer", async () => {
  assert.is(await raw("/api/v3/sidecar/instances\0"), "");
  assert.match(await raw(INSTANCES), / 200 /);
});

test("create is 429 with Retry-After beyond the owner's number, and beyond its rate", async () => {
  const clock = new ManualClock();
  const small = await testHost({
    clock,
    limits: { instances: 3, instancesPerOwner: 2, createsPerMinute: 3 },
  });
  try {
    const create = (name: string, token = ALICE) =>
      api(small, "POST", INSTANCES, { token, body: createBody(name) });
    const { id } = (await create("a")).body.data;
    assert.is((await create("b")).status, 201);
    const third = await create("c");
    assert.equal([third.status, third.headers.get("retry-after")], [429, "10"]);
    assert.is((await create("a", BOB)).status, 201);
    assert.is((await create("b", BOB)).status, 429);
    assert.is((await api(small, "DELETE", `${INSTANCES}/${id}`)).status, 204);
    assert.is((await create("c")).status, 201);
    await api(small, "DELETE", `${INSTANCES}/${(await create("c")).body.data.id}`);
    const fourth = await create("d");
    assert.equal([fourth.status, fourth.headers.get("retry-after")], [429, "20"]);
    clock.advance(20_000);
    assert.is((await create("d")).status, 201);
  } finally {
    await small.close();
  }
});

test("startSidecarHost() serves TLS, the API and the tunnels", async () => {
  const secure = await testHost({ tls: { cert: TLS_CERT, key: TLS_KEY } });
  const post = (path: string, body: unknown) =>
    // deno-lint-ignore no-explicit-any
    new Promise<any>((resolve, reject) => {
      const headers = { "circle-token": ALICE, "content-type": "application/json" };
      request(secure.url + path, { method: "POST", ca: TLS_CERT, headers }, (response) => {
        let text = "";
        response.setEncoding("utf8").on("data", (chunk: string) => text += chunk);
        response.once("end", () => resolve(JSON.parse(text)));
      }).once("error", reject).end(JSON.stringify(body));
    });
  try {
    assert.match(secure.url, /^https:/);
    const { data: { id } } = await post(INSTANCES, createBody("a"));
    const { data } = await post(`${INSTANCES}/${id}/ssh/add-key`, { public_key: KEY.public });
    assert.is(data.attributes.url, `${secure.url}/i/${id}`);
    const url = `${data.attributes.url.replace(/^https/, "wss")}/ssh/tunnel`;
    const client = await dial(url, { ca: TLS_CERT });
    assert.is((await exec(client, "exit 3")).code, 3);
    client.end();
    const plain = await fetch(secure.url.replace("https", "http")).then(
      () => "served",
      () => "cut",
    );
    assert.is(plain, "cut");
  } finally {
    await secure.close();
  }
});

test("startSidecarHost() refuses plain HTTP beyond loopback, unless it is asked for", async () => {
  const listen = { host: "0.0.0.0", port: 0 };
  try {
    await testHost({ listen });
    assert.unreachable();
  } catch (error) {
    assert.ok(isSidecanaryError(error, "usage"));
    assert.match(error.message, "--insecure-http");
  }
  const open = await testHost({ listen, insecureHttp: true });
  try {
    const { port } = new URL(open.url);
    const { url } = await makeInstance({ url: `http://127.0.0.1:${port}` }, "a");
    assert.match(url, `ws://127.0.0.1:${port}/i/`);
    assert.is((await execOnce(url, "exit 3")).code, 3);
  } finally {
    await open.close();
  }
});

test("startSidecarHost() refuses a port in use and a state directory in use", async () => {
  const port = Number(new URL(host.url).port);
  await refused(testHost({ listen: { host: "127.0.0.1", port } }), "usage");
  await refused(testHost({ stateDir: host.stateDir }), "sidecar-failed");
});

test("startSidecarHost() refuses a certificate that is none, or whose key is another's", async () => {
  for (
    const tls of [{ cert: "x", key: TLS_KEY }, { cert: TLS_CERT, key: "x" }, {
      cert: TLS_CERT,
      key: OTHER_TLS_KEY,
    }]
  ) {
    await refused(testHost({ tls }), "config-invalid");
  }
});

test("startSidecarHost() refuses limits that are no whole numbers above 0", async () => {
  await refused(testHost({ limits: { idleMs: 0 } }), "usage");
  await refused(testHost({ limits: { idleMs: Number.NaN } }), "usage");
});

async function refused(start: Promise<unknown>, code: ErrorCode): Promise<void> {
  try {
    await start;
  } catch (error) {
    assert.ok(isSidecanaryError(error, code), String(error));
    return;
  }
  assert.unreachable();
}
