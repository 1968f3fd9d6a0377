import { existsSync } from "node:fs";
import { readdir } from "node:fs/promises";
import { join } from "node:path";
import * as assert from "uvu/assert";
import { isSidecanaryError } from "../../runtime/errors.ts";
import { formatHostName } from "../../runtime/sidecars/host-name.ts";
import { suite } from "../harness.ts";
import { until } from "./processes.ts";
import { shellHosts } from "./shell-hosts.ts";
import { tempDir } from "./temp-dir.ts";

const test = suite("shellHosts()");
const { signal } = new AbortController();

function nameOf(index: number): string {
  return formatHostName({ owner: "abcdefgh", run: "spec", index, expiresAt: 1e12 });
}

async function begin(name: string, cache: string) {
  const hosts = shellHosts(cache, { apart: true, disposable: true });
  const ref = await hosts.create({ name, index: 0, expiresAt: 0 }, signal);
  const host = await hosts.connect(ref, signal);
  const began = join(cache, name, "began");
  const ran = host.exec({ command: 'echo > "$HOME/began"; sleep 1000 & wait', signal });
  ran.catch(() => {});
  await until("it runs", () => existsSync(began));
  return { hosts, ref, host, ran };
}

test("kill() ends everything that a host runs, and its connection", async () => {
  const cache = await tempDir();
  const { hosts, ref, host, ran } = await begin(nameOf(0), cache);
  assert.ok((await hosts.leftovers()).processes.length > 0);
  await hosts.kill(ref.name);
  assert.equal(await hosts.leftovers(), { processes: [], folders: [] });
  assert.ok(isSidecanaryError(await host.closed, "host-failed"));
  await ran.then(() => assert.unreachable(), () => {});
  await hosts.connect(ref, signal).then(() => assert.unreachable(), (error: unknown) => {
    assert.ok(isSidecanaryError(error, "host-failed") && error.details.fault === "gone");
  });
});

test("cut() of one host leaves what it runs and the others' connections", async () => {
  const cache = await tempDir();
  const { hosts, ref, host } = await begin(nameOf(0), cache);
  const other = await hosts.create({ name: nameOf(1), index: 1, expiresAt: 0 }, signal);
  const beside = await hosts.connect(other, signal);
  hosts.cut(ref.name);
  assert.ok(await host.closed);
  assert.equal(await beside.exec({ command: "exit 3", signal }), { kind: "exit", code: 3 });
  assert.ok((await hosts.leftovers()).processes.length > 0);
  await hosts.destroy(ref, signal);
  assert.equal(await hosts.leftovers(), { processes: [], folders: [] });
  assert.equal(await readdir(cache), [other.name]);
});

test("hosts with homes are found by another process", async () => {
  const cache = await tempDir();
  const { hosts, ref } = await begin(nameOf(0), cache);
  const later = shellHosts(cache, { apart: true, disposable: true });
  assert.equal(await later.find(ref.name, signal), ref);
  await hosts.kill(ref.name);
});
