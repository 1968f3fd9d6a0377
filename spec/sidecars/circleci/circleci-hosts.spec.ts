import * as assert from "uvu/assert";
import { Buffer } from "node:buffer";
import type { Clock } from "../../../runtime/clock.ts";
import { systemClock } from "../../../runtime/clock.ts";
import {
  type CircleciHostsOptions,
  createCircleciHosts,
} from "../../../runtime/sidecars/circleci/circleci-hosts.ts";
import type { Host } from "../../../runtime/sidecars/host.ts";
import { formatHostName } from "../../../runtime/sidecars/host-name.ts";
import type { HostProvider, HostRef } from "../../../runtime/sidecars/host-provider.ts";
import { fileHostKeyPins, type HostKeyPins } from "../../../runtime/ssh/pinned-host-keys.ts";
import { suite } from "../../harness.ts";
import type { FakeCircleciOptions } from "../../kit/fake-circleci.ts";
import { type FakeTunnels, fakeTunnels } from "../../kit/fake-tunnels.ts";
import { newKey } from "../../kit/ssh-server.ts";
import { tempDir } from "../../kit/temp-dir.ts";
import { type ApiKit, failure, withApi } from "./api-kit.ts";

const test = suite("circleci-hosts");

const HOUR = 3_600_000;
const NOW = Date.UTC(2026, 0, 1);
const KEY = newKey();

function nameOf(index: number, expiresAt = NOW + HOUR, owner = "owner001"): string {
  return formatHostName({ owner, run: "run", index, expiresAt });
}

function specOf(index: number) {
  return { name: nameOf(index), index, expiresAt: NOW + HOUR };
}

interface HostsKit extends ApiKit {
  readonly hosts: HostProvider;
  readonly pins: HostKeyPins;
  readonly tunnels: FakeTunnels;
  /** A provider of another process. */
  another(options?: Partial<CircleciHostsOptions>): HostProvider;
}

interface HostsKitOptions extends FakeCircleciOptions {
  readonly provider?: Partial<CircleciHostsOptions>;
  /** @default the quick clock, with which nothing can be dialled */
  readonly clock?: Clock;
}

function withHosts(
  body: (kit: HostsKit) => Promise<void>,
  { provider, clock, ...options }: HostsKitOptions = {},
): () => Promise<void> {
  return async () => {
    const tunnels = await fakeTunnels();
    const pins = fileHostKeyPins(await tempDir());
    try {
      await withApi(async (kit) => {
        const another = (more: Partial<CircleciHostsOptions> = {}) =>
          createCircleciHosts({
            api: clock === undefined ? kit.api : kit.clientWith(clock),
            org: kit.fake.org,
            identity: { kind: "key", key: KEY },
            pins,
            clock: clock ?? kit.clock,
            random: () => 0,
            onWarning: (message) => kit.warnings.push(message),
            ...provider,
            ...more,
          });
        const hosts = another();
        try {
          await body({ ...kit, hosts, pins, tunnels, another });
        } finally {
          await hosts.close();
        }
      }, { tunnelOf: tunnels.tunnelOf, ...options });
    } finally {
      await tunnels.close();
    }
  };
}

/** What a command prints on a host. */
async function output(host: Host, command: string): Promise<string> {
  const chunks: Uint8Array[] = [];
  const { signal } = new AbortController();
  await host.exec({ command, signal, onStdout: (chunk) => chunks.push(chunk) });
  return Buffer.concat(chunks).toString();
}

async function reached(hosts: HostProvider, ref: HostRef): Promise<string> {
  const host = await hosts.connect(ref, new AbortController().signal);
  try {
    return await output(host, "echo $((6 * 7))");
  } finally {
    await host.close();
  }
}

const REAL = { clock: systemClock };

test(
  "create() and connect() reach a real shell over a real tunnel",
  withHosts(async ({ hosts, fake, signal }) => {
    const ref = await hosts.create(specOf(0), signal);
    assert.is(ref.name, nameOf(0));
    const host = await hosts.connect(ref, signal);
    assert.is(host.name, nameOf(0));
    assert.is(await output(host, "printf %s $((6 * 7))"), "42");
    await host.close();
    const { keys } = fake.instances.get(ref.id) ?? { keys: [] };
    assert.equal(keys, [`ssh-ed25519 ${KEY.getPublicSSH().toString("base64")}`]);
    await hosts.destroy(ref, signal);
    assert.is(fake.instances.size, 0);
  }, REAL),
);

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
  "connect() waits for a host of its own that the API does not know yet, and for no other's",
  withHosts(async ({ hosts, fake, clock, signal, another }) => {
    const ref = await hosts.create(specOf(0), signal);
    fake.always("add-key", { status: 404 });
    assert.is((await failure(hosts.connect(ref, signal))).fault, "not-found reconnect 404");
    assert.equal(clock.waits, [5_000, 10_000, 15_000]);
    assert.is((await failure(another().connect(ref, signal))).fault, "not-found reconnect 404");
    assert.is(fake.count("add-key"), 5);
  }),
);

test(
  "connect() tells a tunnel that is not up yet from a host that is gone",
  withHosts(async ({ hosts, tunnels, signal }) => {
    const ref = await hosts.create(specOf(0), signal);
    tunnels.refuse(502, 404);
    assert.is((await failure(hosts.connect(ref, signal))).fault, "tunnel-status reconnect 502");
    assert.is((await failure(hosts.connect(ref, signal))).fault, "tunnel-status while-booting 404");
    assert.is(await reached(hosts, ref), "42\n");
  }, REAL),
);

test(
  "connect() refuses another key of a host whose first one was seen, in every process",
  withHosts(async ({ hosts, fake, tunnels, signal, another }) => {
    const ref = await hosts.create(specOf(0), signal);
    assert.is(await reached(hosts, ref), "42\n");
    assert.is(await reached(another(), ref), "42\n");
    const instance = fake.instances.get(ref.id);
    assert.ok(instance);
    await tunnels.replace(instance);
    for (const provider of [hosts, another()]) {
      assert.match((await failure(provider.connect(ref, signal))).fault, "host-key-changed never");
    }
  }, REAL),
);

test(
  "connect() trusts no first key of a host that this run did not make",
  withHosts(async ({ hosts, fake, tunnels, signal, another }) => {
    fake.put({ name: nameOf(0) });
    const [listed] = await hosts.list(signal);
    assert.ok(listed);
    const { fault } = await failure(hosts.connect(listed, signal));
    assert.match(fault, "host-key-unknown never");
    // Its address says that it was made by this run; once its key is pinned, nothing needs to.
    const found = await another().find(nameOf(0), signal);
    assert.ok(found);
    assert.is(await reached(another(), found), "42\n");
    assert.is(await reached(another(), listed), "42\n");
    assert.is(tunnels.serverOf(listed.id).accepted, 2);
  }, REAL),
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
  "destroy() deletes both of a place that was listed twice",
  withHosts(async ({ hosts, fake, signal }) => {
    fake.put({ name: nameOf(0) });
    fake.put({ name: nameOf(0, NOW + 2 * HOUR) });
    const [first] = await hosts.list(signal);
    assert.ok(first);
    await hosts.destroy(first, signal);
    assert.is(fake.instances.size, 0);
  }),
);

test(
  "connect() takes the host key that our own host tells, and refuses any other",
  withHosts(async ({ hosts, fake, tunnels, signal }) => {
    const { id } = fake.put({ name: nameOf(0) });
    const [listed] = await hosts.list(signal);
    assert.ok(listed);
    const told = async (line: string) => ({
      status: 200,
      body: {
        data: {
          attributes: {
            url: await tunnels.tunnelOf(fake.instances.get(id) ?? fail()),
            host_key: line,
          },
        },
      },
    });
    await hosts.connect(listed, signal).catch(() => {});
    fake.next("add-key", await told(tunnels.hostKeyOf(id)));
    assert.is(await reached(hosts, listed), "42\n");
    const other = `ssh-ed25519 ${newKey().getPublicSSH().toString("base64")}`;
    fake.next("add-key", await told(other), await told("nonsense"));
    assert.match((await failure(hosts.connect(listed, signal))).fault, "host-key-changed never");
    assert.match((await failure(hosts.connect(listed, signal))).fault, "bad-response never");
  }, { ...REAL, provider: { kind: "host" } }),
);

test(
  "connect() refuses an address that is none",
  withHosts(async ({ hosts, fake, signal }) => {
    const ref = await hosts.create(specOf(0), signal);
    fake.next("add-key", { status: 200, body: { data: { attributes: { url: "ftp://x" } } } });
    assert.match((await failure(hosts.connect(ref, signal))).fault, "bad-response never");
  }),
);

test(
  "destroy() forgets the key of the host",
  withHosts(async ({ hosts, pins, signal }) => {
    const ref = await hosts.create(specOf(0), signal);
    await reached(hosts, ref);
    assert.ok(await pins.get(ref.id));
    await hosts.destroy(ref, signal);
    assert.is(await pins.get(ref.id), undefined);
  }, REAL),
);

function fail(): never {
  throw new Error("the sidecar is gone");
}
