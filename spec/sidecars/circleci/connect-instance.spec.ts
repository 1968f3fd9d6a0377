import * as assert from "uvu/assert";
import { Buffer } from "node:buffer";
import { systemClock } from "../../../runtime/clock.ts";
import type { Host } from "../../../runtime/sidecars/host.ts";
import type { HostProvider, HostRef } from "../../../runtime/sidecars/host-provider.ts";
import { suite } from "../../harness.ts";
import { newKey } from "../../kit/ssh-server.ts";
import { failure } from "./api-kit.ts";
import { KEY, nameOf, specOf, withHosts } from "./hosts-kit.ts";

const test = suite("connect-instance");

const REAL = { clock: systemClock };

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

test(
  "ExecOverSSHViaWebSocket: create() and connect() reach a real shell over a real tunnel",
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
