import * as assert from "uvu/assert";
import { isSidecanaryError } from "../../../runtime/errors.ts";
import type { HostFaultDetails } from "../../../runtime/host-fault.ts";
import {
  type ContainerHostsOptions,
  createContainerHosts,
} from "../../../runtime/sidecars/container/container-hosts.ts";
import { parseHostName } from "../../../runtime/sidecars/host-name.ts";
import type { HostProvider } from "../../../runtime/sidecars/host-provider.ts";
import { suite } from "../../harness.ts";
import { type PodmanService, podmanService } from "../../kit/podman.ts";
import { socketProxy } from "../../kit/socket-proxy.ts";

const test = suite("container hosts");
const never = new AbortController().signal;

let podman: PodmanService, provider: HostProvider;
let index = 0;

test.before(async () => {
  podman = await podmanService();
  provider = hosts({});
}, { timeoutMs: 120_000 });

test.after(async () => {
  await provider?.close();
  await podman?.stop();
}, { timeoutMs: 60_000 });

function hosts(options: Partial<ContainerHostsOptions>): HostProvider {
  return createContainerHosts({
    image: podman.image,
    socket: podman.socket,
    network: "none",
    ...options,
  });
}

async function failureOf(
  work: Promise<unknown>,
): Promise<{ message: string; details: HostFaultDetails }> {
  try {
    await work;
  } catch (error) {
    if (isSidecanaryError(error, "host-failed")) return error;
    throw error;
  }
  throw new Error("it did not fail");
}

test("create() labels a container with owner, run and expiry, and list() finds it by them", async () => {
  const spec = podman.hostSpec(index++);
  const ref = await hosts({ labels: { "com.example.team": "red" } }).create(spec, never);
  assert.is(ref.name, spec.name);
  const [seen] = JSON.parse(await podman.podman("inspect", ref.id));
  assert.is(seen.Name, spec.name);
  const { owner, run, expires } = Object.fromEntries(
    Object.entries<string>(seen.Config.Labels).map(([key, value]) => [key.split(".")[1], value]),
  );
  assert.equal([owner, run, Number(expires)], [podman.owner, "spec", spec.expiresAt]);
  assert.is(seen.Config.Labels["com.example.team"], "red");
  const listed = (await provider.list(never)).filter(({ name }) => name === spec.name);
  assert.equal(listed, [ref]);
  assert.equal(await provider.find(spec.name, never), ref);
  assert.equal(parseHostName(ref.name)?.index, spec.index);
});

test(
  "list() shows what another process left, stopped or never started, and nobody else's",
  async () => {
    const dead = podman.hostSpec(index++), unborn = podman.hostSpec(index++);
    const labels = ["--label", `sidecanary.owner=${podman.owner}`];
    await podman.podman("create", "--name", unborn.name, ...labels, podman.image, "true");
    await podman.podman(
      "create",
      "--name",
      `other-${podman.owner}`,
      ...labels,
      podman.image,
      "true",
    );
    const ref = await provider.create(dead, never);
    await podman.podman("kill", ref.id);
    const names = (await provider.list(never)).map(({ name }) => name);
    assert.ok(names.includes(dead.name) && names.includes(unborn.name));
    assert.not.ok(names.includes(`other-${podman.owner}`));
    const orphans = (await provider.list(never)).filter(({ name }) =>
      parseHostName(name)?.owner === podman.owner
    );
    for (const orphan of orphans) await provider.destroy(orphan, never);
    assert.is((await podman.podman("ps", "-aq", "--filter", `name=${dead.name}`)).trim(), "");
  },
  { timeoutMs: 30_000 },
);

test("create() of a name that is taken answers the container that has it", async () => {
  const spec = podman.hostSpec(index++);
  const first = await provider.create(spec, never);
  assert.equal(await provider.create(spec, never), first);
});

test("a container whose answer was lost is found by name, and connected to", async () => {
  const spec = podman.hostSpec(index++);
  const proxy = await socketProxy(podman.socket);
  proxy.cutAnswerTo("POST /containers/create");
  const behind = hosts({ socket: proxy.path });
  const lost = await failureOf(behind.create(spec, never));
  assert.is(lost.details.kind, "reconnect");
  const ref = await behind.find(spec.name, never);
  assert.is(ref?.name, spec.name);
  assert.ok(ref);
  const host = await behind.connect(ref, never);
  assert.equal(await host.exec({ command: "exit 6", signal: never }), { kind: "exit", code: 6 });
  await host.close();
  proxy.close();
});

test("a service is reached over TCP, by DOCKER_HOST", async () => {
  const proxy = await socketProxy(podman.socket);
  const far = createContainerHosts({
    image: podman.image,
    network: "none",
    env: { DOCKER_HOST: `tcp://127.0.0.1:${proxy.port}` },
  });
  const ref = await far.create(podman.hostSpec(index++), never);
  const host = await far.connect(ref, never);
  let out = "";
  const exit = await host.exec({
    command: "wc -c; exit 8",
    stdin: new Uint8Array(1_000_000),
    onStdout: (chunk) => out += new TextDecoder().decode(chunk),
    signal: never,
  });
  assert.equal([exit, out.trim()], [{ kind: "exit", code: 8 }, "1000000"]);
  await host.close();
  proxy.close();
});

test("find() takes no other container, and not the beginning of an id", async () => {
  const ref = await provider.create(podman.hostSpec(index++), never);
  assert.is(await provider.find(podman.hostSpec(900).name, never), undefined);
  assert.is(await provider.find(ref.id.slice(0, 12), never), undefined);
});

test("destroy() removes a running container, and one that is gone, twice at a time", async () => {
  const ref = await provider.create(podman.hostSpec(index++), never);
  await Promise.all([provider.destroy(ref, never), provider.destroy(ref, never)]);
  assert.is(await provider.find(ref.name, never), undefined);
  await provider.destroy(ref, never);
  assert.is((await failureOf(provider.connect(ref, never))).details.fault, "gone");
});

test("an image that is missing is pulled, and what the registry says is told", async () => {
  const image = "localhost:1/sidecanary/nowhere:2";
  const { message, details } = await failureOf(
    hosts({ image }).create(podman.hostSpec(index++), never),
  );
  assert.equal([details.fault, details.kind], ["not-found", "never"]);
  assert.match(message, `docker pull ${image}`);
  assert.match(message, "connection refused");
});

test("an image without git lacks tools", async () => {
  const bare = hosts({ image: podman.bareImage });
  const ref = await bare.create(podman.hostSpec(index++), never);
  const { message, details } = await failureOf(bare.connect(ref, never));
  assert.equal([details.fault, details.kind], ["missing-tools", "never"]);
  assert.match(message, "has no git");
});

test("an image without sh does not start, and leaves nothing", async () => {
  const spec = podman.hostSpec(index++);
  const { message, details } = await failureOf(
    hosts({ image: podman.emptyImage }).create(spec, never),
  );
  assert.equal([details.fault, details.kind], ["sandbox-refused", "never"]);
  assert.match(message, "sh and sleep");
  assert.is(await provider.find(spec.name, never), undefined);
});

test("three hosts come up, run and go at once", async () => {
  const codes = await Promise.all([1, 2, 3].map(async (code) => {
    const ref = await provider.create(podman.hostSpec(index++), never);
    const host = await provider.connect(ref, never);
    const exit = await host.exec({ command: `exit ${code}`, signal: never });
    await host.close();
    await provider.destroy(ref, never);
    return exit;
  }));
  assert.equal(codes, [1, 2, 3].map((code) => ({ kind: "exit", code })));
}, { timeoutMs: 60_000 });

test("memory, cpus and processes are limited as asked", async () => {
  const limited = hosts({ memory: 64 * 2 ** 20, cpus: 0.5, pids: 77 });
  const ref = await limited.create(podman.hostSpec(index++), never);
  const [seen] = JSON.parse(await podman.podman("inspect", ref.id));
  const { Memory, NanoCpus, PidsLimit, NetworkMode } = seen.HostConfig;
  assert.equal([Memory, NanoCpus, PidsLimit, NetworkMode], [64 * 2 ** 20, 5e8, 77, "none"]);
});

test(
  "a container that runs out of memory kills the command, and says so where it ends",
  async () => {
    const limited = hosts({ memory: 32 * 2 ** 20 });
    const ref = await limited.create(podman.hostSpec(index++), never);
    const host = await limited.connect(ref, never);
    const exit = await host.exec({
      command: "head -c 200000000 /dev/zero | sort",
      signal: never,
    });
    assert.equal(exit, { kind: "exit", code: 137 });
    await host.close();
  },
  { timeoutMs: 30_000 },
);

test("a limit that is none is refused", () => {
  const isRange = (error: unknown) => error instanceof RangeError;
  assert.throws(() => hosts({ memory: 0 }), isRange);
  assert.throws(() => hosts({ cpus: Number.NaN }), isRange);
});

test("create() refuses a name that is none of ours", async () => {
  await provider.create({ name: "mine", index: 0, expiresAt: 0 }, never)
    .then(() => assert.unreachable(), (error) => assert.instance(error, RangeError));
});

test("everything rejects with the signal's reason when aborted", async () => {
  const reason = new Error("enough");
  const signal = AbortSignal.abort(reason);
  const ref = { id: "x", name: "x" };
  const calls: (() => Promise<unknown>)[] = [
    () => provider.create(podman.hostSpec(index), signal),
    () => provider.find("x", signal),
    () => provider.list(signal),
    () => provider.connect(ref, signal),
    () => provider.destroy(ref, signal),
  ];
  for (const call of calls) {
    await call().then(() => assert.unreachable(), (error) => assert.is(error, reason));
  }
});

test("describe() names the image and the service", async () => {
  await provider.list(never);
  assert.is(provider.describe(), `containers of ${podman.image} at unix://${podman.socket}`);
});
