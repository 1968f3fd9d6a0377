import { existsSync, mkdirSync, readdirSync, rmSync } from "node:fs";
import { join } from "node:path";
import * as assert from "uvu/assert";
import { isSidecanaryError } from "../../../runtime/errors.ts";
import { hostFailed } from "../../../runtime/sidecars/host-failed.ts";
import { formatHostName } from "../../../runtime/sidecars/host-name.ts";
import type { Provider } from "../../../runtime/sidecars/provider.ts";
import type { RemoteOptions } from "../../../runtime/sidecars/remote/remote-provider.ts";
import { suite } from "../../harness.ts";
import { liveTree } from "../../kit/live-tree.ts";
import { processesWith, until } from "../../kit/processes.ts";
import { changeOf, file, output } from "../sandbox-contract.ts";
import { remoteTree } from "./remote-tree.ts";

const never = new AbortController().signal;
const test = suite("remote provider");
const providers: Provider[] = [];

test.after.each(async () => {
  for (const provider of providers.splice(0)) await provider.close().catch(() => {});
});

async function begin(more: Partial<RemoteOptions> = {}) {
  const tree = await liveTree();
  const remote = await remoteTree(tree, more);
  const provider = remote.provider();
  providers.push(provider);
  return { tree, ...remote, provider, another: remote.provider };
}

const lost = () =>
  hostFailed("the answer was lost", { host: "x", fault: "closed", kind: "reconnect" });

test("create() makes one host and dials once for all its lanes, and delivers once", async () => {
  const { provider, hosts } = await begin({ lanesPerHost: 2 });
  const sidecars = await Promise.all(
    [0, 1, 2].map((worker) => provider.create({ worker }, never)),
  );
  assert.equal([hosts.asked.length, hosts.links.length], [2, 2]);
  await Promise.all(sidecars.map((sidecar) => sidecar.sync(never)));
  const bases = hosts.commands.filter((command) => command.includes("'base'"));
  assert.is(bases.length, 2);
  hosts.cut();
  await Promise.all(sidecars.map((sidecar) => sidecar.attach(never)));
  assert.is(hosts.links.length, 4);
  const { created, left } = provider.tally();
  assert.equal([created, left.length], [2, 2]);
  await provider.close();
  assert.equal(provider.tally(), { created: 2, destroyed: 2, left: [] });
});

test("create() after a lost answer finds the host and makes no second one", async () => {
  const { provider, hosts } = await begin();
  hosts.onCreate = (_, when) => {
    if (when === "after") throw lost();
  };
  const first = await provider.create({ worker: 0 }, never).catch((error) => error);
  assert.is(isSidecanaryError(first, "host-failed"), true);
  assert.equal(provider.tally().left, [...hosts.there.keys()]);
  await provider.create({ worker: 0 }, never);
  assert.is(hosts.asked.length, 1);
  assert.is(provider.tally().created, 1);
});

test("create() takes over the host of an earlier process, whenever it expires", async () => {
  const { provider, hosts, another } = await begin();
  await provider.create({ worker: 0 }, never);
  const later = another({ process: "later", clock: shifted(1_800_000) });
  providers.push(later);
  const sidecar = await later.create({ worker: 0 }, never);
  assert.is(hosts.asked.length, 1);
  assert.is(await sidecar.alive(), true);
});

test("remove() destroys a host whose create() never came back", async () => {
  const { provider, hosts } = await begin();
  hosts.onCreate = (_, when) => {
    if (when === "after") throw lost();
  };
  await provider.create({ worker: 0 }, never).catch(() => {});
  await provider.remove(0, never);
  assert.equal([hosts.there.size, provider.tally().left.length], [0, 0]);
  await provider.remove(7, never);
});

test("tally() does not count a host that was never made", async () => {
  const { provider, hosts } = await begin();
  hosts.onCreate = (_, when) => {
    if (when === "before") throw lost();
  };
  await provider.create({ worker: 0 }, never).catch(() => {});
  assert.is(provider.tally().left.length, 1);
  await provider.close();
  assert.equal(provider.tally(), { created: 0, destroyed: 0, left: [] });
});

test("close() names the host that it could not destroy", async () => {
  const { provider, hosts } = await begin();
  await provider.create({ worker: 0 }, never);
  hosts.onDestroy = () => {
    throw lost();
  };
  const error = await provider.close().then(() => undefined, (reason) => reason);
  const [name = ""] = hosts.there.keys();
  assert.is(isSidecanaryError(error, "sidecar-failed") && error.message.includes(name), true);
  assert.equal(provider.tally().left, [name]);
  hosts.onDestroy = () => {};
  await provider.close();
  assert.equal(provider.tally().left, []);
});

test("close() gives up a setup that is under way, and removes the host", async () => {
  const { provider, hosts } = await begin({ setup: { command: "sleep 600", lockFiles: [] } });
  const sidecar = await provider.create({ worker: 0 }, never);
  const begun = new Promise<void>((resolve) => {
    hosts.before = (command) => {
      if (command.includes("sleep 600")) resolve();
    };
  });
  const interrupt = new AbortController();
  const synced = sidecar.sync(interrupt.signal).catch((error) => error);
  await begun;
  interrupt.abort(new Error("interrupted"));
  assert.is((await synced).message, "interrupted");
  await provider.close();
  assert.equal([hosts.there.size, provider.tally().left], [0, []]);
});

test("create({fresh}) makes everything anew, once for all lanes of the host", async () => {
  const { provider, hosts, tree } = await begin({ lanesPerHost: 2 });
  for (const worker of [0, 1]) await provider.create({ worker }, never);
  const [workspace = ""] = readdirSync(join(tree.scratch, "sidecanary"));
  const mark = join(tree.scratch, "sidecanary", workspace, "mark");
  mkdirSync(mark);
  const one = await provider.create({ worker: 0, fresh: true }, never);
  assert.is(existsSync(mark), false);
  const dials = hosts.links.length;
  const two = await provider.create({ worker: 1, fresh: true }, never);
  assert.is(hosts.links.length, dials);
  for (const sidecar of [one, two]) {
    const sandbox = await sidecar.open(changeOf(file("src/a.txt", "new\n")), never);
    assert.is(await output(sandbox, "cat src/a.txt"), "new\n");
    await sandbox.close();
  }
  const { created, destroyed, left } = provider.tally();
  assert.is(created, destroyed + left.length);
});

test("destroy() of one lane leaves the others, of the last one takes the host along", async () => {
  const { provider, hosts } = await begin({ lanesPerHost: 2 });
  const one = await provider.create({ worker: 0 }, never);
  const two = await provider.create({ worker: 1 }, never);
  const sandbox = await two.open(undefined, never);
  await (await one.open(undefined, never)).run("true", { timeoutMs: 5_000, signal: never });
  await one.destroy();
  assert.is(await output(sandbox, "cat src/a.txt"), "payload a\n");
  assert.is(hosts.there.size, 1);
  await two.destroy();
  assert.is(hosts.there.size, 0);
});

test("sweep() removes what is ours and old, and what has expired, and nothing else", async () => {
  const { provider, hosts } = await begin();
  const now = Date.now();
  const names = {
    live: formatHostName({ owner: "otherone", run: "spec", index: 0, expiresAt: now + 60_000 }),
    expired: formatHostName({ owner: "otherone", run: "spec", index: 1, expiresAt: now - 60_000 }),
    earlier: formatHostName({ owner: "abcdefgh", run: "sold", index: 0, expiresAt: now + 60_000 }),
    warm: formatHostName({ owner: "abcdefgh", run: "wold", index: 0, expiresAt: now + 60_000 }),
    current: formatHostName({ owner: "abcdefgh", run: "spec", index: 0, expiresAt: now + 60_000 }),
    stranger: "somebody-elses",
  };
  for (const name of Object.values(names)) hosts.there.set(name, { id: name, name });
  const { removed, failed } = await provider.sweep();
  assert.equal([...removed].sort(), [names.expired, names.earlier].sort());
  assert.equal(failed, []);
  assert.equal([...hosts.there.keys()], [
    names.live,
    names.warm,
    names.current,
    names.stranger,
  ]);
  hosts.there.delete(names.current);
});

test("close() of a sandbox whose folder is gone says so, so that its lane is made anew", async () => {
  const { provider, tree } = await begin();
  const sidecar = await provider.create({ worker: 0 }, never);
  const sandbox = await sidecar.open(undefined, never);
  const [workspace = ""] = readdirSync(join(tree.scratch, "sidecanary"));
  rmSync(join(tree.scratch, "sidecanary", workspace, "lane.sh"));
  const error: unknown = await sandbox.close().then(() => undefined, (reason) => reason);
  assert.is(isSidecanaryError(error, "sidecar-failed"), true);
  const fresh = await provider.create({ worker: 0, fresh: true }, never);
  assert.is(await output(await fresh.open(undefined, never), "cat src/a.txt"), "payload a\n");
  await provider.close();
  const base = join(tree.scratch, "sidecanary", workspace, "base");
  await until("nothing of it runs", () => processesWith(base).length === 0);
});

test("a host without unshare has warm lanes", async () => {
  const { provider } = await begin({ lanes: "warm" });
  const sidecar = await provider.create({ worker: 0 }, never);
  assert.match(provider.describe(), "a copy for each lane");
  const sandbox = await sidecar.open(undefined, never);
  assert.is(await output(sandbox, "pwd | grep -c '/lanes/0/tree$'"), "1\n");
  await sandbox.close();
});

function shifted(ms: number) {
  return {
    now: () => Date.now() + ms,
    setTimeout: (callback: () => void, delay: number) => setTimeout(callback, delay),
    clearTimeout: (timer: unknown) => clearTimeout(timer as number),
  };
}
