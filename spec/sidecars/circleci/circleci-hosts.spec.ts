import * as assert from "uvu/assert";
import type { HostProvider } from "../../../runtime/sidecars/host-provider.ts";
import { suite } from "../../harness.ts";
import { failure } from "./api-kit.ts";
import { HOUR, nameOf, NOW, specOf, withHosts } from "./hosts-kit.ts";

const test = suite("circleci-hosts");

test(
  "create() makes hosts from the image, and says so",
  withHosts(async ({ hosts, fake, signal }) => {
    assert.is(hosts.describe(), "sidecars of CircleCI from image snap-7");
    assert.equal([hosts.kind, hosts.capacity, hosts.disposable], ["circleci", null, true]);
    const { id } = await hosts.create(specOf(0), signal);
    assert.is(fake.instances.get(id)?.image, "snap-7");
  }, { provider: { image: "snap-7" } }),
);

for (const reply of ["drop", "cut"] as const) {
  test(
    `create() finds the host of a lost reply (${reply}) by its name and makes no second one`,
    withHosts(async ({ hosts, fake, signal }) => {
      fake.next("create", { reply });
      const ref = await hosts.create(specOf(0), signal);
      assert.ok(fake.instances.has(ref.id));
      assert.is(fake.instances.size, 1);
      assert.is(fake.count("create"), 1);
    }),
  );
}

test(
  "create() after a 504 finds what was made, else fails with what a next boot mends",
  withHosts(async ({ hosts, fake, signal }) => {
    fake.next("create", { status: 504, times: 1 }, { status: 504 });
    assert.ok(fake.instances.has((await hosts.create(specOf(0), signal)).id));
    const { fault } = await failure(hosts.create(specOf(1), signal));
    assert.is(fault, "server-error reconnect 504");
    assert.is(fake.count("create"), 2);
  }),
);

test(
  "create() that is not answered in 60 s looks for the name",
  withHosts(async ({ hosts, fake, clock, signal }) => {
    fake.next("create", { times: 1, reply: "hang" });
    const creating = hosts.create(specOf(0), signal);
    await fake.seen("create");
    while (fake.instances.size === 0) await new Promise((resolve) => setImmediate(resolve));
    clock.expire();
    assert.ok(fake.instances.has((await creating).id));
    assert.is(fake.count("create"), 1);
  }),
);

test(
  "create() says so when neither the reply came nor the list",
  withHosts(async ({ hosts, fake, signal }) => {
    fake.next("create", { reply: "drop" });
    fake.always("list", { status: 500 });
    const { fault, message } = await failure(hosts.create(specOf(0), signal));
    assert.is(fault, "reset reconnect ECONNRESET");
    assert.match(message, "Whether it was made is not known");
  }),
);

test(
  "create() that was refused does not look for the name",
  withHosts(async ({ hosts, fake, signal }) => {
    fake.next("create", { status: 403 }, { status: 429, headers: { "Retry-After": "9" } });
    assert.is((await failure(hosts.create(specOf(0), signal))).fault, "unauthorised never 403");
    const busy = await failure(hosts.create(specOf(0), signal));
    assert.is(busy.fault, "rate-limited reconnect 429");
    assert.is((busy.error.details as { retryAfterMs?: number }).retryAfterMs, 9_000);
    assert.is(fake.count("list"), 0);
  }),
);

test(
  "RunDeletesEverySidecarOnCancel: a creation that nobody waits for any more is deleted",
  withHosts(async ({ hosts, fake, signal, warnings }) => {
    let answer = () => {};
    fake.next("create", { until: new Promise<void>((resolve) => answer = resolve) });
    const controller = new AbortController();
    const creating = hosts.create(specOf(0), controller.signal).catch((error: unknown) => error);
    await fake.seen("create");
    const reason = new Error("Ctrl-C");
    controller.abort(reason);
    assert.is(await creating, reason);
    // Whoever cleans up by name waits for the answer.
    const finding = hosts.find(nameOf(0), signal);
    answer();
    assert.is(await finding, undefined);
    assert.is(fake.instances.size, 0);
    assert.is(fake.count("delete"), 1);
    assert.equal(warnings, []);
  }),
);

test(
  "close() waits for a creation that was given up, and names a host that stays",
  withHosts(async ({ hosts, fake, warnings }) => {
    let answer = () => {};
    fake.next("create", { until: new Promise<void>((resolve) => answer = resolve) });
    fake.always("delete", { status: 403 });
    const controller = new AbortController();
    const creating = hosts.create(specOf(0), controller.signal).catch(() => {});
    await fake.seen("create");
    controller.abort();
    await creating;
    const closing = hosts.close();
    answer();
    await closing;
    assert.is(warnings.length, 1);
    assert.match(warnings[0] ?? "", nameOf(0));
  }),
);

test(
  "create() does nothing once aborted",
  withHosts(async ({ hosts, fake }) => {
    const reason = new Error("enough");
    const made = hosts.create(specOf(0), AbortSignal.abort(reason)).catch((error) => error);
    assert.is(await made, reason);
    assert.is(fake.requests.length, 0);
  }),
);

test(
  "find() answers the host of this place, whenever it expires, and nobody else's",
  withHosts(async ({ hosts, fake, signal }) => {
    fake.put({ name: nameOf(1) });
    fake.put({ name: nameOf(0, NOW + HOUR, "owner002") });
    fake.put({ name: `${nameOf(0)}x-y` });
    fake.put({ name: nameOf(0), own: false });
    assert.is(await hosts.find(nameOf(0), signal), undefined);
    const { id } = fake.put({ name: nameOf(0, NOW + 5 * HOUR) });
    assert.is((await hosts.find(nameOf(0), signal))?.id, id);
    assert.is(fake.requests[0]?.query.get("all"), "false");
  }),
);

test(
  "find() and list() fail where the API does, and are never empty instead",
  withHosts(async ({ hosts, fake, signal }) => {
    fake.put({ name: nameOf(0) });
    fake.always("list", { status: 500 });
    const fault = "server-error reconnect 500";
    assert.is((await failure(hosts.find(nameOf(0), signal))).fault, fault);
    assert.is((await failure(hosts.list(signal))).fault, fault);
  }),
);

test(
  "SparesUndatableNames: list() leaves out names that are not ours, of every form",
  withHosts(async ({ hosts, fake, signal }) => {
    for (const name of ["variant-test--1", "happy-blue-fox", "sidecanary-x", `${nameOf(0)}-`]) {
      fake.put({ name });
    }
    const ours = [nameOf(0), nameOf(0, NOW - HOUR), nameOf(3, NOW, "owner002")];
    for (const name of ours) fake.put({ name });
    assert.equal((await hosts.list(signal)).map(({ name }) => name), ours);
  }),
);

test(
  "IgnoresOtherOrgs: list() and find() leave out another organisation's, whatever the API answers",
  withHosts(async ({ hosts, fake, signal }) => {
    const data = [{
      id: "sc-9",
      attributes: { name: nameOf(0) },
      references: { org: { id: "org-2" } },
    }];
    fake.always("list", { status: 200, body: { data } });
    assert.equal(await hosts.list(signal), []);
    assert.is(await hosts.find(nameOf(0), signal), undefined);
  }),
);

test(
  "destroy() of a host that is gone is success, and so is the repetition of a lost reply",
  withHosts(async ({ hosts, fake, signal }) => {
    const ref = await hosts.create(specOf(0), signal);
    fake.next("delete", { reply: "drop" });
    await hosts.destroy(ref, signal);
    await hosts.destroy(ref, signal);
    assert.is(fake.instances.size, 0);
  }),
);

test(
  "destroy() deletes after Ctrl-C: an aborted signal does not end it",
  withHosts(async ({ hosts, fake, signal }) => {
    const ref = await hosts.create(specOf(0), signal);
    await hosts.destroy(ref, AbortSignal.abort(new Error("Ctrl-C")));
    assert.is(fake.instances.size, 0);
  }),
);

test(
  "destroy() deletes both of a creation that was sent twice, once that was seen",
  withHosts(async ({ hosts, fake, signal }) => {
    fake.next("create", { times: 2 });
    await hosts.create(specOf(0), signal);
    fake.put({ name: nameOf(1) });
    const ref = await hosts.find(nameOf(0), signal);
    assert.ok(ref);
    await hosts.destroy(ref, signal);
    assert.equal([...fake.instances.values()].map(({ name }) => name), [nameOf(1)]);
  }),
);

test(
  "destroy() deletes what a lost reply and its repetition by the next boot have made",
  withHosts(async ({ hosts, fake, signal }) => {
    // The first one is not listed yet when it is looked for.
    fake.next("create", { reply: "drop" });
    fake.next("list", { status: 200, body: { data: [] } });
    await failure(hosts.create(specOf(0), signal));
    const ref = await hosts.create(specOf(0), signal);
    assert.is(fake.instances.size, 2);
    await hosts.destroy(ref, signal);
    assert.is(fake.instances.size, 0);
  }),
);

test(
  "RunDeleteCalledOnCreateSuccess: add-key 500 leaves a host that destroy() deletes",
  withHosts(async ({ hosts, fake, signal }) => {
    fake.always("add-key", { status: 500 });
    const ref = await hosts.create(specOf(0), signal);
    assert.is((await failure(hosts.connect(ref, signal))).fault, "server-error reconnect 500");
    await hosts.destroy(ref, signal);
    assert.is(fake.instances.size, 0);
  }),
);

test(
  "list() knows hosts of this process and of this owner for ours",
  withHosts(async ({ hosts, fake, signal, another }) => {
    const ref = await hosts.create(specOf(0), signal);
    fake.put({ name: nameOf(1) });
    fake.put({ name: nameOf(2, NOW, "owner002") });
    const ours = async (provider: HostProvider) =>
      (await provider.list(signal)).map(({ address }) => address === ref.address);
    assert.equal(await ours(hosts), [true, false, false]);
    assert.equal(await ours(another()), [false, false, false]);
    assert.equal(await ours(another({ owner: "owner001" })), [true, true, false]);
  }),
);

test(
  "list() waits for a creation that was given up, as find() does",
  withHosts(async ({ hosts, fake, signal }) => {
    let answer = () => {};
    fake.next("create", { until: new Promise<void>((resolve) => answer = resolve) });
    const controller = new AbortController();
    const creating = hosts.create(specOf(0), controller.signal).catch(() => {});
    await fake.seen("create");
    controller.abort();
    await creating;
    const listing = hosts.list(signal);
    answer();
    assert.equal(await listing, []);
    assert.is(fake.instances.size, 0);
  }),
);

test(
  "PruneIDRemovesEveryDuplicate: destroy() deletes both of a place that was listed twice",
  withHosts(async ({ hosts, fake, signal }) => {
    fake.put({ name: nameOf(0) });
    fake.put({ name: nameOf(0, NOW + 2 * HOUR) });
    const [first] = await hosts.list(signal);
    assert.ok(first);
    await hosts.destroy(first, signal);
    assert.is(fake.instances.size, 0);
  }),
);
