import * as assert from "uvu/assert";
import { existsSync, readFileSync } from "node:fs";
import { readdir, rm, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { hostFailed } from "../../runtime/sidecars/host-failed.ts";
import { parseHostName } from "../../runtime/sidecars/host-name.ts";
import type { HostProvider } from "../../runtime/sidecars/host-provider.ts";
import type { HostsChoice } from "../../runtime/variants/campaign-request.ts";
import { suite } from "../harness.ts";
import { hastyClock } from "../kit/hasty-clock.ts";
import { until } from "../kit/processes.ts";
import { shellHosts } from "../kit/shell-hosts.ts";
import { tempDir } from "../kit/temp-dir.ts";
import { campaign, project, variant, verdicts } from "./campaign-kit.ts";

const test = suite("hosts-campaign");

const VARIANTS = [
  variant("a", "value", "2"),
  variant("b", "other", "2"),
  variant("c", "value", "3"),
  variant("d", "other", "3"),
];

const EXPECTED = ["a killed", "b survived", "c killed", "d survived"];

function choice(hosts: HostProvider, lanes = 1): HostsChoice {
  return { label: "shells", lanes, setup: null, open: () => Promise.resolve(hosts) };
}

for (const [count, lanes] of [[1, 2], [2, 1], [3, 1]] as const) {
  test(`runCampaign() has the local verdicts on hosts: ${count} × ${lanes} lanes`, async () => {
    const repo = await project();
    const cache = await tempDir();
    const hosts = shellHosts(cache);
    const { report } = await campaign(repo, VARIANTS, {
      workers: count * lanes,
      hosts: choice(hosts, lanes),
    });
    assert.equal(verdicts(report), EXPECTED);
    assert.equal(report.sidecars, { created: count, destroyed: count, left: [] });
    assert.is(hosts.there.size, 0);
    assert.equal(await readdir(cache), []);
    assert.ok(report.complete);
  });
}

test("runCampaign() attaches to a command whose connection was lost, and runs it once", async () => {
  const repo = await project();
  const dir = await tempDir();
  const hosts = shellHosts(await tempDir());
  const [ran, go] = [join(dir, "ran"), join(dir, "go")];
  const run = `if [ $(cat value) = 7 ]; then echo x >> '${ran}'; ` +
    `while [ ! -e '${go}' ]; do sleep 0.05; done; exit 1; fi; sh test.sh`;
  const running = campaign(repo, [variant("slow", "value", "7"), ...VARIANTS], {
    workers: 1,
    hosts: choice(hosts),
    commands: [{ name: "test", run }],
  });
  await until("the command runs", () => existsSync(ran));
  hosts.cut();
  await until("it is dialled again", () => hosts.links.length > 1);
  await writeFile(go, "");
  const { report } = await running;
  assert.equal(verdicts(report), ["slow killed", ...EXPECTED]);
  assert.is(readFileSync(ran, "utf8"), "x\n");
  assert.equal(report.sidecars, { created: 1, destroyed: 1, left: [] });
});

test("runCampaign() runs a variant elsewhere when its host is gone for good", async () => {
  const repo = await project();
  const dir = await tempDir();
  const hosts = shellHosts(await tempDir(), { disposable: true, apart: true });
  const began = join(dir, "began");
  const run = `if [ $(cat value) = 7 ] && mkdir '${began}' 2>/dev/null; then sleep 60; fi; ` +
    "sh test.sh";
  const running = campaign(repo, [variant("slow", "value", "7"), ...VARIANTS], {
    workers: 2,
    hosts: choice(hosts),
    commands: [{ name: "test", run }],
    random: () => 0.999,
  });
  await until("the command runs", () => existsSync(began));
  for (const name of [...hosts.there.keys()]) await hosts.kill(name);
  const { report } = await running;
  assert.equal(verdicts(report), ["slow killed", ...EXPECTED]);
  assert.equal(report.sidecars.left, []);
  assert.is(hosts.there.size, 0);
});

test("runCampaign() finds elsewhere what a host had said that is lost before its check", async () => {
  const repo = await project();
  const dir = await tempDir();
  const shells = shellHosts(await tempDir(), { disposable: true });
  const [last, go, checked] = ["last", "go", "checked"].map((each) => join(dir, each));
  const gone = new Set<string>();
  let isNoticed = false;
  const hosts: HostProvider = {
    ...shells,
    connect: async (ref, signal) => {
      if (!gone.has(ref.name)) return await shells.connect(ref, signal);
      isNoticed = true;
      await until("the other host was checked", () => existsSync(`${checked}`));
      throw hostFailed("Not any more", { host: "x", fault: "authentication", kind: "never" });
    },
  };
  // Each worker has one of the kills, and one of them the last variant.
  const run = `case $(cat value)$(cat other) in
      [23]1) : > '${dir}'/v$(cat value)
        until [ -e '${dir}/v2' ] && [ -e '${dir}/v3' ]; do sleep 0.02; done ;;
      12) echo "$SIDECANARY_WORKER" > '${last}.new'; mv '${last}.new' '${last}'
        until [ -e '${go}' ]; do sleep 0.02; done ;;
    esac
    sh test.sh && if [ -e '${go}' ]; then : > '${checked}'; fi`;
  const known = new Set<string>();
  const running = campaign(
    repo,
    [variant("a", "value", "2"), variant("b", "value", "3"), variant("c", "other", "2")],
    {
      workers: 2,
      hosts: choice(hosts),
      commands: [{ name: "test", run }],
      onProgress: (each) => {
        if (each.type === "verdict") known.add(each.result.id);
      },
    },
  );
  await until("the kills are known", () => existsSync(`${last}`) && known.size === 2);
  const busy = Number(readFileSync(`${last}`, "utf8"));
  shells.onCreate = () => {
    throw hostFailed("No more", { host: "x", fault: "unauthorised", kind: "never" });
  };
  for (const name of shells.there.keys()) {
    if (parseHostName(name)?.index !== busy) gone.add(name);
  }
  for (const name of gone) shells.cut(name);
  await until("it is dialled again", () => isNoticed);
  await rm(`${checked}`, { force: true });
  await writeFile(`${go}`, "");
  const { report, progress } = await running;
  assert.is(progress.filter(({ type }) => type === "revoked").length, 1);
  assert.equal(verdicts(report), ["a killed", "b killed", "c survived"]);
  assert.ok(report.complete);
});

test("runCampaign() ends as failed with the last cause where no host can be made", async () => {
  const repo = await project();
  const hosts = shellHosts(await tempDir());
  hosts.onCreate = () => {
    throw hostFailed("The token is wrong", {
      host: "shells",
      fault: "unauthorised",
      kind: "never",
    });
  };
  const { report } = await campaign(repo, VARIANTS, { workers: 2, hosts: choice(hosts) });
  assert.is(report.end, "failed");
  assert.is(report.complete, false);
  assert.ok(report.warnings.some((warning) => warning.includes("The token is wrong")));
  assert.ok(report.warnings.includes("The campaign could not go on: The token is wrong"));
  assert.equal(hosts.asked.length, 2);
});

test("runCampaign() makes another host where the first is gone before it was up", async () => {
  const repo = await project();
  const shells = shellHosts(await tempDir(), { disposable: true });
  let dials = 0;
  const hosts: HostProvider = {
    ...shells,
    connect: async (ref, signal) => {
      dials++;
      if (shells.asked.length === 1) {
        throw hostFailed("It sleeps", { host: ref.name, fault: "paused", kind: "reconnect" });
      }
      // A new one that needs longer is no reason to make yet another.
      if (dials < 4) throw hostFailed("No", { host: "x", fault: "refused", kind: "while-booting" });
      return await shells.connect(ref, signal);
    },
  };
  const { report } = await campaign(repo, VARIANTS, {
    workers: 2,
    hosts: choice(hosts, 2),
    random: () => 0.999,
  });
  assert.equal(verdicts(report), EXPECTED);
  assert.equal(report.sidecars, { created: 2, destroyed: 2, left: [] });
});

test("runCampaign() runs a setup that fails once, and tells its output", async () => {
  const repo = await project();
  const hosts = shellHosts(await tempDir(), { disposable: true });
  const ran = join(await tempDir(), "ran");
  const setup = { command: `echo x >> '${ran}'; echo no such package; exit 3`, lockFiles: [] };
  const { report } = await campaign(repo, VARIANTS, {
    workers: 1,
    hosts: { ...choice(hosts), setup },
  });
  assert.is(report.end, "failed");
  assert.is(readFileSync(ran, "utf8"), "x\n");
  assert.ok(report.warnings.some((warning) => warning.includes("no such package")));
  assert.equal(report.sidecars, { created: 1, destroyed: 1, left: [] });
});

test("runCampaign() tells of a host that could not be destroyed, by name", async () => {
  const repo = await project();
  const hosts = shellHosts(await tempDir());
  hosts.onDestroy = ({ name }) => {
    throw hostFailed("No", { host: name, fault: "server-error", kind: "never" });
  };
  const { report } = await campaign(repo, VARIANTS, { workers: 1, hosts: choice(hosts) });
  const [name = ""] = hosts.there.keys();
  assert.equal(report.sidecars, { created: 1, destroyed: 0, left: [name] });
  assert.ok(report.warnings.some((warning) => warning.includes(name)), report.warnings.join("\n"));
});

test("runCampaign() begins on the hosts that are up, and others join when they are", async () => {
  const repo = await project("echo '*.built' >> .gitignore");
  const hosts = shellHosts(await tempDir(), { apart: true });
  let isUp = false;
  hosts.onCreate = ({ index }) => {
    if (index === 0 || isUp) return;
    throw hostFailed("Nothing listens", { host: "late", fault: "refused", kind: "while-booting" });
  };
  const dir = await tempDir();
  const [waits, go] = [join(dir, "waits"), join(dir, "go")];
  const running = campaign(repo, [variant("slow", "value", "7"), ...VARIANTS], {
    workers: 2,
    clock: hastyClock(10),
    hosts: choice(hosts),
    builds: [{ name: "build", run: "test -e it.built || sleep 0.2; echo x > it.built" }],
    commands: [{
      name: "test",
      run: `if [ $(cat value) = 7 ]; then : > '${waits}'; ` +
        `while [ ! -e '${go}' ]; do sleep 0.05; done; fi; sh test.sh`,
    }],
  });
  await until("a variant runs on the host that is up", () => existsSync(waits));
  isUp = true;
  await until("the other one has joined", () => hosts.there.size === 2);
  await until("it has built", () => hosts.commands.some((command) => command.includes("freeze")));
  await writeFile(go, "");
  const { report } = await running;
  assert.equal(verdicts(report), ["slow killed", ...EXPECTED]);
  assert.equal(report.sidecars, { created: 2, destroyed: 2, left: [] });
}, { timeoutMs: 30_000 });
