import * as assert from "uvu/assert";
import { existsSync, readFileSync } from "node:fs";
import { writeFile } from "node:fs/promises";
import { type AddressInfo, createServer } from "node:net";
import { join } from "node:path";
import process from "node:process";
import { ended, type Place, place, replace, start } from "../cli/cli-kit.ts";
import { suite } from "../harness.ts";
import { until } from "../kit/processes.ts";
import { tempDir } from "../kit/temp-dir.ts";
import { demo, DEMO_VERDICTS, reportOf, variants, verdictsOf, withHome } from "./demo.ts";
import { introduce, type SshMachine, sshMachine, userKey } from "./ssh-machine.ts";

const test = suite("ssh-campaign");

const LONG = { timeoutMs: 90_000 };
const machines: SshMachine[] = [];

test.after.each(async () => {
  for (const machine of machines.splice(0)) await machine.stop();
});

/** What is left on any of them. */
async function leftovers(there: readonly SshMachine[]): Promise<string[]> {
  return (await Promise.all(there.map((each) => each.leftovers()))).flat();
}

async function two(
  options: Parameters<typeof sshMachine>[1],
  project: Place,
): Promise<{ readonly at: Place; readonly args: string[]; readonly there: SshMachine[] }> {
  const key = await userKey();
  const there = [await sshMachine(key, options), await sshMachine(key, options)];
  machines.push(...there);
  const at = await introduce(project, key, there);
  const args = there.flatMap(({ target }) => ["--sidecar", `${target}?lanes=2`]);
  return { at, args, there };
}

for (
  const [user, overlays, lanes] of [
    ["own", true, "an overlay for each variant"],
    ["own", false, "a copy for each lane"],
    ["walker", true, "an overlay for each variant"],
    ["walker", false, "a copy for each lane"],
  ] as const
) {
  test(
    `sidecanary variants --sidecar ssh:// ×2 has the local verdicts: ${user} user, ${lanes}`,
    async () => {
      const { at, args, there } = await two({ user, overlays }, await demo());
      const local = await variants(at, ["--sidecar", "local"]);
      const remote = await variants(at, args);
      const report = reportOf(remote);
      assert.equal(verdictsOf(report), DEMO_VERDICTS, remote.stderr);
      assert.equal(verdictsOf(reportOf(local)), DEMO_VERDICTS, local.stderr);
      assert.match(remote.stderr, lanes);
      assert.is(remote.code, 7);
      assert.is(local.code, 7);
      assert.equal(report.sidecars, { created: 2, destroyed: 2, left: [] });
      assert.equal(await leftovers(there), []);
    },
    LONG,
  );
}

test("sidecanary variants ends with 2 on ssh:// where all is well but a survivor", async () => {
  const { at, args, there } = await two({}, await demo());
  const ids = ["--id", "negative-stay,free-minutes-exclusive"];
  const { code, stderr } = await variants(at, [...args, ...ids]);
  assert.is(code, 2, stderr);
  assert.equal(await leftovers(there), []);
}, LONG);

test("sidecanary variants goes on where one of the ssh:// machines is down", async () => {
  const { at, args, there } = await two({}, await demo());
  const down = `ssh://127.0.0.1:${await closedPort()}`;
  const remote = await variants(at, ["--sidecar", down, ...args]);
  assert.equal(verdictsOf(reportOf(remote)), DEMO_VERDICTS, remote.stderr);
  assert.equal(await leftovers(there), []);
}, LONG);

test("sidecanary variants leaves nothing on ssh:// machines at SIGINT", async () => {
  const gate = await gated();
  const { at, args, there } = await two({}, gate.project);
  const child = start(at, ["variants", "variants.json", ...args]);
  const end = ended(child);
  await until("the tests run", gate.isRunning);
  process.kill(child.pid ?? 0, "SIGINT");
  const { code, stdout, stderr } = await end;
  assert.is(code, 130, stderr);
  const report = reportOf({ stdout, stderr });
  assert.equal([report.end, report.complete], ["cancelled", false]);
  assert.equal(report.sidecars, { created: 2, destroyed: 2, left: [] });
  assert.equal(await leftovers(there), []);
}, LONG);

test("sidecanary variants goes on after SIGKILL where it was, and leaves nothing", async () => {
  const gate = await gated();
  const { at, args, there } = await two({}, gate.project);
  const child = start(at, ["variants", "variants.json", ...args, "--format", "jsonl"]);
  const end = ended(child);
  await until("the tests run", gate.isRunning);
  await until("the others have verdicts", () => gate.quickRuns() === 4);
  process.kill(child.pid ?? 0, "SIGKILL");
  const { stdout } = await end;
  const known = stdout.split("\n").filter((line) => line.includes('"type":"result"')).length;
  await writeFile(gate.go, "");
  const again = await variants(at, args);
  const report = reportOf(again);
  assert.equal(verdictsOf(report), gate.verdicts, again.stderr);
  assert.is(again.code, 2);
  assert.equal(report.sidecars.left, []);
  assert.ok(gate.quickRuns() <= 4 + (4 - known) + 2, `${known} known, ${gate.quickRuns()} runs`);
  assert.equal(await leftovers(there), []);
}, LONG);

/** A project with a variant whose test waits for a file. */
async function gated() {
  const dir = await tempDir();
  const [ran, quick, go] = [join(dir, "ran"), join(dir, "quick"), join(dir, "go")];
  const run = `case $(cat value) in good) exit 0;; ` +
    `slow) echo x >>'${ran}'; while [ ! -e '${go}' ]; do sleep 0.05; done; exit 1;; esac; ` +
    `cat value >>'${quick}'; grep -q ok value`;
  const ids = ["bad", "ok", "worse", "okay", "slow"];
  const project = await withHome(
    await place({
      "value": "good\n",
      "variants.json": ids.map((id) => ({ id, patch: replace("value", "good", id) })),
      "sidecanary.json": { commands: [{ name: "check", run }], timeout: "1m" },
    }),
  );
  const lines = (path: string) => existsSync(path) ? readFileSync(path, "utf8").split("\n") : [];
  return {
    project,
    go,
    isRunning: () => lines(ran).length > 0,
    /** How often a variant has run that waits for nothing; controls do not count. */
    quickRuns: () => lines(quick).filter((line) => ids.includes(line)).length,
    verdicts: [
      "bad killed by check with 1",
      "ok survived with 0",
      "worse killed by check with 1",
      "okay survived with 0",
      "slow killed by check with 1",
    ],
  };
}

async function closedPort(): Promise<number> {
  const server = createServer();
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  const { port } = server.address() as AddressInfo;
  await new Promise((resolve) => server.close(resolve));
  return port;
}
