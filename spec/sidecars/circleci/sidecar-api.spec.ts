import * as assert from "uvu/assert";
import { suite } from "../../harness.ts";
import { failure, withApi } from "./api-kit.ts";

const test = suite("sidecar-api");

test("List HappyPath: list() sends org_id and all, the token and the other headers", () =>
  withApi(async ({ fake, api, signal }) => {
    const { id } = fake.put({ name: "blue-red-green", image: "snap-1" });
    assert.equal(await api.list(fake.org, false, signal), [
      { id, name: "blue-red-green", image: "snap-1", org: fake.org },
    ]);
    const [request] = fake.requests;
    assert.is(request?.method, "GET");
    assert.is(request?.path, "/api/v3/sidecar/instances");
    assert.equal(Object.fromEntries(request?.query ?? []), { org_id: fake.org, all: "false" });
    assert.is(request?.headers["circle-token"], fake.token);
    assert.is(request?.headers.accept, "application/json");
    assert.is(request?.headers["content-type"], "application/json; charset=utf-8");
    assert.is(request?.headers["user-agent"], "sidecanary/1.2.3");
  }));

test("List Empty: list() answers an empty list", () =>
  withApi(async ({ fake, api, signal }) => {
    assert.equal(await api.list(fake.org, true, signal), []);
    assert.is(fake.requests[0]?.query.get("all"), "true");
  }));

test("List FiltersByOrg: list() answers this organisation's, and others' own with all only", () =>
  withApi(async ({ fake, api, signal }) => {
    fake.put({ name: "other", org: "org-2" });
    fake.put({ name: "mine" });
    fake.put({ name: "a-teammate's", own: false });
    const names = async (all: boolean) =>
      (await api.list(fake.org, all, signal)).map(({ name }) => name);
    assert.equal(await names(false), ["mine"]);
    assert.equal(await names(true), ["mine", "a-teammate's"]);
  }));

test("List APIError500: list() fails after three repetitions, never with an empty list", () =>
  withApi(async ({ fake, api, signal }) => {
    fake.always("list", { status: 500, body: { message: "oops" } });
    const { fault, message } = await failure(api.list(fake.org, false, signal));
    assert.is(fault, "server-error reconnect 500");
    assert.match(message, "CircleCI answered 500: oops");
    assert.is(fake.count("list"), 4);
  }));

test("List APIError404: list() fails for an organisation that is not there", () =>
  withApi(async ({ fake, api, signal }) => {
    fake.always("list", { status: 404, body: { error: { id: "t", title: "no such org" } } });
    const { fault, message } = await failure(api.list(fake.org, false, signal));
    assert.is(fault, "not-found never 404");
    assert.match(message, "no such org");
    assert.is(fake.count("list"), 1);
  }));

test("Create HappyPath: create() sends name and organisation in their envelope, and no image", () =>
  withApi(async ({ fake, api, signal }) => {
    const made = await api.create({ name: "one", org: fake.org }, signal);
    assert.equal(made, { id: [...fake.instances.keys()][0], name: "one", org: fake.org });
    assert.equal(fake.requests[0]?.json, {
      data: { attributes: { name: "one" }, references: { org: { id: fake.org } } },
    });
    assert.is(fake.requests[0]?.method, "POST");
  }));

test("Create WithImage: create() sends the snapshot's id; a wrong one is named", () =>
  withApi(async ({ fake, api, signal }) => {
    await api.create({ name: "one", org: fake.org, image: "snap-9" }, signal);
    const [request] = fake.requests;
    assert.is((request?.json as Wrapped).data.attributes.image, "snap-9");
    const refused = api.create({ name: "two", org: fake.org, image: "snap-8" }, signal);
    const { fault, message } = await failure(refused);
    assert.is(fault, "bad-request never 400");
    assert.match(message, "image snap-8");
    assert.match(message, "snapshot snap-8 does not exist");
  }, { images: ["snap-9"] }));

interface Wrapped {
  readonly data: { readonly attributes: Readonly<Record<string, unknown>> };
}

for (const status of [500, 503, 504, 429, 408]) {
  test(`Create status 500 and others: create() is sent once when answered ${status}`, () =>
    withApi(async ({ fake, api, clock, signal }) => {
      fake.always("create", { status, headers: { "retry-after": "1" } });
      const { fault } = await failure(api.create({ name: "one", org: fake.org }, signal));
      assert.match(fault, `reconnect ${status}`);
      assert.is(fake.count("create"), 1);
      assert.equal(clock.waits, []);
    }));
}

test("Create lost reply: create() is sent once when the connection ends without an answer", () =>
  withApi(async ({ fake, api, signal }) => {
    fake.always("create", { reply: "drop" });
    const { fault } = await failure(api.create({ name: "one", org: fake.org }, signal));
    assert.is(fault, "reset reconnect ECONNRESET");
    assert.is(fake.count("create"), 1);
    assert.is(fake.instances.size, 1);
  }));

test("Create 403: create() names the variable of the token and not the token", () =>
  withApi(async ({ fake, api, signal }) => {
    const body = { message: `${fake.token} may not` };
    fake.always("create", { status: 403, body });
    const { fault, message } = await failure(api.create({ name: "one", org: fake.org }, signal));
    assert.is(fault, "unauthorised never 403");
    assert.match(message, "CIRCLE_TOKEN");
    assert.match(message, "[token] may not");
    assert.not.match(message, fake.token);
  }));

test("401 is unauthorised, and nothing of the error holds the token", () =>
  withApi(async ({ fake, api, signal }) => {
    const { fault, error } = await failure(api.me(signal));
    assert.is(fault, "unauthorised never 401");
    const seen = JSON.stringify([error, error.message, error.stack, String(error.cause)]);
    assert.not.match(seen, "secret-secret");
    assert.is(fake.count("me"), 1);
  }, { token: "secret-secret" }));

test("delete() answers whether there was one; one that is gone is no error", () =>
  withApi(async ({ fake, api, signal }) => {
    const { id } = fake.put({ name: "one" });
    assert.is(await api.delete(id, signal), true);
    assert.is(await api.delete(id, signal), false);
    assert.is(fake.requests[0]?.method, "DELETE");
    assert.is(fake.requests[0]?.path, `/api/v3/sidecar/instances/${id}`);
  }));

test("delete() of a lost reply is repeated and succeeds", () =>
  withApi(async ({ fake, api, signal }) => {
    const { id } = fake.put({ name: "one" });
    fake.next("delete", { reply: "drop" });
    assert.is(await api.delete(id, signal), false);
    assert.is(fake.instances.size, 0);
    assert.is(fake.count("delete"), 2);
  }));

test("delete() takes a route that is not there for no success", () =>
  withApi(async ({ fake, api, signal }) => {
    fake.always("delete", { status: 404, body: { message: "Route Not Found" } });
    const { fault } = await failure(api.delete("sc-1", signal));
    assert.is(fault, "client-outdated never route-not-found");
  }));

test("delete() keeps an id within its part of the path", () =>
  withApi(async ({ fake, api, signal }) => {
    assert.is(await api.delete("a/../b?c", signal), false);
    assert.is(fake.requests[0]?.path, "/api/v3/sidecar/instances/a%2F..%2Fb%3Fc");
  }));

test("add-key: addKey() sends the line flat, and does no harm when repeated", () =>
  withApi(async ({ fake, api, signal }) => {
    const instance = fake.put({ name: "one" });
    const { id } = instance;
    const line = "ssh-ed25519 AAAA";
    assert.equal(await api.addKey(id, line, signal), { url: `https://8000-${id}.invalid` });
    await api.addKey(id, line, signal);
    assert.equal(instance.keys, [line]);
    assert.equal(fake.requests[0]?.json, { public_key: line });
    assert.is(fake.requests[0]?.path, `/api/v3/sidecar/instances/${id}/ssh/add-key`);
  }));

test("addKey() and create() hand on the host key that our own hosts tell", () =>
  withApi(async ({ fake, api, signal }) => {
    const made = await api.create({ name: "one", org: fake.org }, signal);
    assert.is(made.hostKey, "ssh-ed25519 BBBB");
    fake.next("add-key", {
      status: 200,
      body: { data: { attributes: { url: "host", host_key: "ssh-ed25519 CCCC" } } },
    });
    assert.equal(await api.addKey(made.id, "line", signal), {
      url: "host",
      hostKey: "ssh-ed25519 CCCC",
    });
  }, { hostKeyOf: () => "ssh-ed25519 BBBB" }));

test("Snapshot Create sends the sidecar's id; Get and List answer it", () =>
  withApi(async ({ fake, api, signal }) => {
    const { id } = fake.put({ name: "one" });
    const made = await api.createSnapshot(id, "warm", signal);
    assert.equal(fake.requests[0]?.json, {
      data: { attributes: { name: "warm" }, references: { sidecar_instance: { id } } },
    });
    assert.equal(made, { id: made.id, name: "warm", tag: "latest", system: false });
    assert.equal(await api.getSnapshot(made.id, signal), made);
    assert.equal(await api.listSnapshots(fake.org, signal), [made]);
  }));

test("Snapshot ListEmpty, GetNotFound and APIError", () =>
  withApi(async ({ fake, api, signal }) => {
    assert.equal(await api.listSnapshots(fake.org, signal), []);
    const missing = await failure(api.getSnapshot("snap-0", signal));
    assert.is(missing.fault, "not-found never 404");
    assert.match(missing.message, "snap-0");
    fake.always("snapshot-create", { status: 502 });
    const failed = await failure(api.createSnapshot("sc-1", "warm", signal));
    assert.is(failed.fault, "server-error reconnect 502");
    assert.is(fake.count("snapshot-create"), 1);
  }));

test("Snapshot name 255/256 limit: a longer name is refused before it is sent", () =>
  withApi(async ({ fake, api, signal }) => {
    const { id } = fake.put({ name: "one" });
    await api.createSnapshot(id, "é".repeat(255), signal);
    assert.is((await failure(api.createSnapshot(id, "x".repeat(256), signal))).fault, "usage");
    assert.is((await failure(api.createSnapshot(id, "", signal))).fault, "usage");
    assert.is(fake.requests.length, 1);
  }));

test("me() and collaborations() read both ways of writing vcs-type", () =>
  withApi(async ({ fake, api, signal }) => {
    assert.equal(await api.me(signal), { id: "me-1", name: "Jo" });
    const acme = { id: fake.org, name: "Acme", slug: "gh/acme", vcsType: "github" };
    assert.equal(await api.collaborations(signal), [acme]);
    const { vcsType, ...rest } = acme;
    fake.next("collaborations", { status: 200, body: [{ ...rest, vcs_type: vcsType }] });
    assert.equal(await api.collaborations(signal), [acme]);
  }));

const WRONG: readonly (readonly [string, unknown, string])[] = [
  ["a page", "<html>", "the answer"],
  ["nothing", "", "the answer"],
  ["no list", { data: {} }, "data"],
  ["null", null, "the answer"],
  ["an id that is a number", { data: [{ id: 1, attributes: { name: "a" } }] }, "data.0.id"],
  ["an id that is another path", { data: [{ id: "..", attributes: { name: "a" } }] }, "data.0.id"],
  ["no name", { data: [{ id: "a", attributes: {} }] }, "data.0.attributes.name"],
];

for (const [what, body, where] of WRONG) {
  test(`list() takes ${what} for no answer and says where`, () =>
    withApi(async ({ fake, api, signal }) => {
      fake.always("list", { status: 200, body });
      const { fault, message } = await failure(api.list(fake.org, false, signal));
      assert.is(fault, "bad-response never 200");
      assert.match(message, where);
      assert.is(fake.count("list"), 1);
    }));
}

test("list() ignores fields that it does not know", () =>
  withApi(async ({ fake, api, signal }) => {
    const data = [{ id: "a", state: "up", attributes: { name: "n", image: null, cost: 1 } }];
    fake.always("list", { status: 200, body: { data, next: "x" } });
    assert.equal(await api.list(fake.org, false, signal), [{ id: "a", name: "n" }]);
  }));
