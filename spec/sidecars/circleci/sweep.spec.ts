import * as assert from "uvu/assert";
import { createCircleciHosts } from "../../../runtime/sidecars/circleci/circleci-hosts.ts";
import { formatHostName } from "../../../runtime/sidecars/host-name.ts";
import type { Provider } from "../../../runtime/sidecars/provider.ts";
import { createRemoteProvider } from "../../../runtime/sidecars/remote/remote-provider.ts";
import { fileHostKeyPins } from "../../../runtime/ssh/pinned-host-keys.ts";
import type { Payload } from "../../../runtime/sync/payload.ts";
import { suite } from "../../harness.ts";
import { newKey } from "../../kit/ssh-server.ts";
import { tempDir } from "../../kit/temp-dir.ts";
import { type ApiKit, failure, withApi } from "./api-kit.ts";

const test = suite("sweep");

const NOW = Date.UTC(2026, 0, 1);
const HOUR = 3_600_000;

/** A sweep captures nothing and sends nothing. */
const PAYLOAD: Payload = {
  root: "/none",
  cwd: "",
  tree: "0".repeat(40),
  gitDir: "/none",
  indexFile: "/none/index",
  files: 0,
  head: null,
  repository: false,
  warnings: [],
};

function nameOf(index: number, expiresAt: number, owner = "owner002"): string {
  return formatHostName({ owner, run: "run", index, expiresAt });
}

function withSweep(body: (provider: Provider, kit: ApiKit) => Promise<void>): () => Promise<void> {
  return () =>
    withApi(async (kit) => {
      const { api, clock, fake } = kit;
      const hosts = createCircleciHosts({
        api,
        org: fake.org,
        identity: { kind: "key", key: newKey() },
        pins: fileHostKeyPins(await tempDir()),
        clock,
        random: () => 0,
        onWarning: () => {},
      });
      const provider = createRemoteProvider({
        hosts,
        payload: PAYLOAD,
        owner: "owner001",
        run: "run",
        lanesPerHost: 1,
        ttlMs: HOUR,
        clock,
        onNotice: () => {},
      });
      await body(provider, kit);
      await hosts.close();
    });
}

test(
  "SweepOrphansDeletesOnlyStaleVariantSidecars: what has expired goes, of every owner of ours",
  withSweep(async (provider, { fake }) => {
    const stale = [nameOf(0, NOW - 1_000), nameOf(1, NOW - 48 * HOUR, "owner003")];
    for (const name of stale) fake.put({ name });
    const kept = [
      fake.put({ name: "happy-blue-fox" }),
      fake.put({ name: nameOf(0, NOW - HOUR), org: "org-2" }),
      fake.put({ name: nameOf(0, NOW - HOUR), own: false }),
    ];
    assert.equal(await provider.sweep(), { removed: stale, failed: [] });
    assert.equal([...fake.instances.values()], kept);
  }),
);

test(
  "SweepOrphansSparesConcurrentRun: what has not expired stays",
  withSweep(async (provider, { fake }) => {
    fake.put({ name: nameOf(0, NOW + 30_000) });
    fake.put({ name: nameOf(1, NOW + 48 * HOUR) });
    assert.equal(await provider.sweep(), { removed: [], failed: [] });
    assert.is(fake.count("delete"), 0);
  }),
);

test(
  "SweepOrphansSparesUndatableNames: whatever is no name of ours stays",
  withSweep(async (provider, { fake }) => {
    const names = [
      "variant-test--1",
      "variant-zzzzzz--a",
      "sidecanary-owner002-run-0",
      "sidecanary",
    ];
    for (const name of names) fake.put({ name });
    assert.equal(await provider.sweep(), { removed: [], failed: [] });
    assert.is(fake.instances.size, names.length);
  }),
);

test(
  "SweepOrphansToleratesListFailure, ReapFailsOpenWhenListFails: nothing is deleted",
  withSweep(async (provider, { fake }) => {
    fake.put({ name: nameOf(0, NOW - HOUR) });
    fake.always("list", { status: 500 });
    assert.is((await failure(provider.sweep())).fault, "server-error reconnect 500");
    assert.is(fake.count("delete"), 0);
  }),
);

test(
  "ReapDropsState WhenDeleteReturnsGone and WhenDeleteFails: gone is removed, a failure is named",
  withSweep(async (provider, { fake }) => {
    const names = [nameOf(0, NOW - HOUR), nameOf(1, NOW - HOUR)];
    for (const name of names) fake.put({ name });
    fake.next("delete", { status: 404 }, { status: 403 });
    const { removed, failed } = await provider.sweep();
    assert.equal(removed, [names[0]]);
    assert.equal(failed.map(({ name }) => name), [names[1]]);
  }),
);
