import * as assert from "uvu/assert";
import { addKey } from "../../../runtime/sidecars/circleci/add-key.ts";
import { suite } from "../../harness.ts";
import { type ApiKit, failure, withApi } from "./api-kit.ts";

const test = suite("add-key");

const MISSING = { status: 404, body: { error: "no such sidecar" } };

function add({ api, clock, signal }: ApiKit, id: string, fresh: boolean, drawn = 0) {
  const random = () => drawn;
  return addKey({ api, id, publicKey: "line", fresh, clock, random, signal });
}

test("addKey() of a fresh sidecar waits for the API to know it: 5, 10 and 15 s", () =>
  withApi(async (kit) => {
    const { id } = kit.fake.put({ name: "one" });
    kit.fake.next("add-key", MISSING, MISSING, MISSING);
    assert.is((await add(kit, id, true)).url, `https://8000-${id}.invalid`);
    assert.equal(kit.clock.waits, [5_000, 10_000, 15_000]);
    assert.is(kit.fake.count("add-key"), 4);
  }));

test("addKey() draws at most 2 s on top", () =>
  withApi(async (kit) => {
    const { id } = kit.fake.put({ name: "one" });
    kit.fake.next("add-key", MISSING);
    await add(kit, id, true, 0.5);
    assert.equal(kit.clock.waits, [6_000]);
  }));

test("addKey() gives up after four attempts", () =>
  withApi(async (kit) => {
    const { fault } = await failure(add(kit, "sc-0", true));
    assert.is(fault, "not-found reconnect 404");
    assert.is(kit.fake.count("add-key"), 4);
  }));

test("addKey() of a sidecar that is not fresh takes 404 for its end", () =>
  withApi(async (kit) => {
    assert.is((await failure(add(kit, "sc-0", false))).fault, "not-found reconnect 404");
    assert.is(kit.fake.count("add-key"), 1);
    assert.equal(kit.clock.waits, []);
  }));

test("addKey() is repeated after 30 s without an answer; the key is there once", () =>
  withApi(async (kit) => {
    const instance = kit.fake.put({ name: "one" });
    kit.fake.next("add-key", { reply: "hang" });
    const adding = add(kit, instance.id, false);
    await kit.fake.seen("add-key");
    kit.clock.expire();
    await adding;
    assert.equal(kit.clock.waits, [5_000]);
    assert.equal(instance.keys, ["line"]);
  }));

for (const status of [409, 410]) {
  test(`DoesNotRetryClientErrors: addKey() hands ${status} on at once`, () =>
    withApi(async (kit) => {
      kit.fake.always("add-key", { status, body: { error: "paused, sidecar is out of date" } });
      const { fault } = await failure(add(kit, "sc-0", true));
      assert.match(fault, status === 409 ? "paused reconnect" : "outdated reconnect");
      assert.is(kit.fake.count("add-key"), 1);
    }));
}

test("addKey() stops waiting when aborted", () =>
  withApi(async (kit) => {
    const controller = new AbortController();
    const reason = new Error("enough");
    kit.fake.always("add-key", MISSING);
    const clock = {
      now: () => 0,
      setTimeout: (_callback: () => void, delayMs: number) => {
        if (delayMs < 30_000) queueMicrotask(() => controller.abort(reason));
      },
      clearTimeout: () => {},
    };
    const failed = await addKey({
      api: kit.clientWith(clock),
      id: "sc-0",
      publicKey: "line",
      fresh: true,
      clock,
      random: () => 0,
      signal: controller.signal,
    }).catch((error: unknown) => error);
    assert.is(failed, reason);
  }));
