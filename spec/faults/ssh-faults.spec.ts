import fc from "fast-check";
import { mkdir, readFile, writeFile } from "node:fs/promises";
import { existsSync } from "node:fs";
import { join } from "node:path";
import process from "node:process";
import * as assert from "uvu/assert";
import { formatHostName, parseHostName } from "../../runtime/sidecars/host-name.ts";
import type { HostProvider } from "../../runtime/sidecars/host-provider.ts";
import { createSshHosts } from "../../runtime/sidecars/ssh/ssh-hosts.ts";
import { ensureKeyPair } from "../../runtime/ssh/ensure-key-pair.ts";
import { publicKeyLine } from "../../runtime/ssh/wire.ts";
import { suite } from "../harness.ts";
import { check } from "../kit/check.ts";
import { type FaultProxy, faultProxy } from "../kit/fault-proxy.ts";
import { connectionsWithin, NO_FAULTS } from "../kit/fault-schedule.ts";
import { addHits, scheduledHosts } from "../kit/fault-schedule-hosts.ts";
import { hastyClock } from "../kit/hasty-clock.ts";
import { until } from "../kit/processes.ts";
import { homeEnv, type ShellHosts, shellHosts } from "../kit/shell-hosts.ts";
import { SshServer } from "../kit/ssh-server.ts";
import { tempDir } from "../kit/temp-dir.ts";
import {
  assertVerdicts,
  faultCampaign,
  faultProject,
  faultRequest,
  faultRuns,
  leftOn,
  sayHits,
} from "./faults-kit.ts";

const test = suite("ssh-faults");
const runs = Math.ceil(faultRuns(8) / 4);
const closing: (() => Promise<unknown>)[] = [];

test.after.each(async () => {
  for (const close of closing.splice(0).reverse()) await close();
});

/** A handshake of twenty seconds is over after these many times less. */
const HASTE = 5;

interface Farm {
  readonly hosts: HostProvider;
  readonly servers: readonly SshServer[];
  readonly proxies: readonly FaultProxy[];
  /** Knows what is left on the servers. */
  readonly shells: ShellHosts;
}

/** Real SSH servers with homes of their own, each behind a proxy. */
async function farm(count: number): Promise<Farm> {
  const cache = await tempDir();
  const home = await tempDir();
  const pair = await ensureKeyPair(join(home, "keys"));
  const servers: SshServer[] = [];
  const proxies: FaultProxy[] = [];
  let known = "";
  for (let index = 0; index < count; index++) {
    const there = join(cache, `home-${index}`);
    await mkdir(there);
    const server = await SshServer.listen({
      authorised: [pair.key.getPublicSSH()],
      env: homeEnv(there),
    });
    const proxy = await faultProxy(server);
    closing.push(() => server.close(), () => proxy.close());
    known += `[127.0.0.1]:${proxy.port} ${publicKeyLine(server.hostKey)}\n`;
    servers.push(server);
    proxies.push(proxy);
  }
  await writeFile(join(home, "known_hosts"), known);
  const lines = [
    `UserKnownHostsFile ${home}/known_hosts`,
    "GlobalKnownHostsFile none",
    "User tester",
    `IdentityFile ${pair.path}`,
  ];
  await writeFile(join(home, "config"), `${lines.join("\n")}\n`);
  const hosts = createSshHosts({
    targets: proxies.map(({ port }) => `ssh://127.0.0.1:${port}`),
    env: { PATH: process.env["PATH"] },
    home,
    configFile: join(home, "config"),
    clock: hastyClock(HASTE),
  });
  return { hosts, servers, proxies, shells: shellHosts(cache, { apart: true }) };
}

test("faults of real connections change no verdict and leave nothing behind", async () => {
  const repo = await faultProject();
  const hits = new Map<string, number>();
  let done = 0;
  let heldBack = 0;
  let accepted = 0;
  const plans = fc.record({
    lanes: fc.constantFrom(1, 2),
    schedules: fc.array(connectionsWithin, { minLength: 1, maxLength: 2 }),
    how: fc.constantFrom<("reset" | "close")[]>("reset", "close"),
  });
  await check(
    fc.asyncProperty(plans, async ({ lanes, schedules, how }) => {
      const { hosts: real, servers, proxies, shells } = await farm(schedules.length);
      for (const [index, { connections, refusals }] of schedules.entries()) {
        proxies[index]?.next(...connections);
        servers[index]?.refuseChannels(...refusals);
      }
      const hosts = scheduledHosts(real, {
        schedule: { ...NO_FAULTS, drops: schedules[0]?.drops ?? [] },
        cut: (name) => proxies[parseHostName(name)?.index ?? 0]?.drop(how),
      });
      const workers = schedules.length * lanes;
      const request = { ...faultRequest(hosts, { lanes, workers }), fresh: true };
      const { report, progress } = await faultCampaign(repo, request);
      for (const proxy of proxies) {
        addHits(hits, proxy.hit);
        accepted += proxy.accepted;
      }
      addHits(hits, hosts.hit);
      heldBack += hosts.heldBack;
      done++;
      assertVerdicts(report, progress);
      assert.equal(report.sidecars.left, []);
      assert.is(report.sidecars.created, report.sidecars.destroyed);
      assert.equal(await leftOn(shells), []);
      for (const close of closing.splice(0).reverse()) await close();
    }),
    { numRuns: runs },
  );
  sayHits(done, hits, heldBack);
  console.log(`${accepted} connections`);
}, { timeoutMs: 20_000 + runs * 20_000 });

test(
  "a host that is killed in the middle of a test is told of, its variants run elsewhere",
  async () => {
    const repo = await faultProject();
    const { hosts, proxies, shells } = await farm(2);
    const began = join(await tempDir(), "began");
    // The first that tests a change waits for its machine's end.
    const run = `if [ "$(cat value)" = 2 ] && mkdir '${began}' 2>/dev/null; then ` +
      `echo "$HOME" > '${began}/at' && mv '${began}/at' '${began}/home'; sleep 1000; fi; sh test.sh`;
    const running = faultCampaign(repo, {
      ...faultRequest(hosts),
      commands: [{ name: "test", run }],
    });
    await until("it runs", () => existsSync(join(began, "home")));
    const index = (await readFile(join(began, "home"), "utf8")).includes("home-0") ? 0 : 1;
    await proxies[index]?.refuse();
    proxies[index]?.drop("reset");
    await shells.kill(
      formatHostName({ owner: "abcdefgh", run: "spec", index, expiresAt: Date.now() }),
    );
    const { report, progress } = await running;
    assertVerdicts(report, progress);
    const { created, destroyed, left } = report.sidecars;
    assert.equal({ created, destroyed }, { created: 2, destroyed: 1 });
    assert.equal(left.map((name) => parseHostName(name)?.index), [index]);
    assert.ok(report.warnings.some((warning) => warning.includes("left behind")));
    assert.equal(await leftOn(shells), []);
  },
  { timeoutMs: 60_000 },
);
