import fc from "fast-check";
import * as assert from "uvu/assert";
import { exitCodeOf } from "../../runtime/cli/exit-code.ts";
import { existsSync, rmSync } from "node:fs";
import { join } from "node:path";
import { suite } from "../harness.ts";
import { check } from "../kit/check.ts";
import {
  faultsBeyond,
  type FaultSchedule,
  NO_FAULTS,
  type Outage,
  outageSchedule,
} from "../kit/fault-schedule.ts";
import { scheduledHosts } from "../kit/fault-schedule-hosts.ts";
import { until } from "../kit/processes.ts";
import { campaign, variant, verdicts } from "../variants/campaign-kit.ts";
import { shellHosts } from "../kit/shell-hosts.ts";
import { tempDir } from "../kit/temp-dir.ts";
import {
  assertVerdicts,
  EXPECTED,
  faultCampaign,
  faultProject,
  faultRequest,
  faultRuns,
  leftOn,
  VARIANTS,
} from "./faults-kit.ts";

const test = suite("outages");
const runs = Math.ceil(faultRuns(4) / 2);

async function run(schedule: FaultSchedule, { lanes = 1 } = {}) {
  const repo = await faultProject();
  const shells = shellHosts(await tempDir(), { apart: true, disposable: true });
  const hosts = scheduledHosts(shells, {
    schedule,
    limited: false,
    cut: (name) => shells.cut(name),
    kill: (name) => shells.kill(name),
  });
  const { report, progress } = await faultCampaign(repo, faultRequest(hosts, { lanes }));
  return { report, progress, shells, hosts };
}

/** What the outage is called where it is told. */
function causes(outage: Outage): readonly string[] {
  switch (outage.kind) {
    case "no-create":
    case "no-connect":
      return [outage.fault.fault];
    case "no-run":
      return ["closed", "sidecar-lost"];
    case "all-die":
      return ["sidecar-lost", "gone"];
  }
}

test(
  "what is beyond the limits is incomplete, with its cause, and leaves nothing behind",
  async () => {
    await check(
      fc.asyncProperty(faultsBeyond, async (outage) => {
        const { report, shells } = await run(outageSchedule(outage));
        const found = report.results.map(({ id, status, reason }) => `${id} ${status}/${reason}`);
        const text = [report.end, report.reason, ...found, ...report.warnings].join("\n");
        assert.is(report.complete, false, text);
        assert.is(exitCodeOf(report, { exitZero: false, baselineOnly: false }), 7, text);
        assert.is(report.results.length, VARIANTS.length);
        const isTold = causes(outage).some((cause) => text.includes(cause));
        assert.ok(isTold, text);
        // No verdict is a guess: each one is right, or tells that nothing was measured.
        for (const { id, status } of report.results) {
          const right = { kills: "killed", survives: "survived" }[id] ?? "error";
          assert.ok([right, "error", "skipped"].includes(status), text);
        }
        const { created, destroyed, left } = report.sidecars;
        assert.is(created, destroyed + left.length);
        assert.equal(left, [], [text, ...left].join("\n"));
        assert.equal(await leftOn(shells), []);
      }),
      { numRuns: runs },
    );
  },
  { timeoutMs: 20_000 + runs * 10_000 },
);

for (const reason of ["closed", "sidecar-lost"] as const) {
  test(
    `a variant that no attempt measures is error/${reason}, the others have verdicts`,
    async () => {
      const repo = await faultProject();
      const cache = await tempDir();
      const shells = shellHosts(cache, { apart: true, disposable: true });
      const isDoomed = (name: string) => existsSync(join(cache, name, "doomed"));
      let returns = 0;
      shells.before = (command, host) => {
        if (!command.includes("; set -- 'run'") || !isDoomed(host.name)) return;
        // Who has come back to the command is lost again, two times.
        host.cut();
        if (++returns === 2) rmSync(join(cache, host.name, "doomed"));
      };
      const run = `if [ "$(cat value)" = 9 ]; then : > "$HOME/doomed"; sleep 1000; fi; sh test.sh`;
      const running = campaign(repo, [variant("doomed", "value", "9"), ...VARIANTS], {
        ...faultRequest(shells),
        commands: [{ name: "test", run }],
      });
      let isOver = false;
      const haunting = until("the campaign is over", async () => {
        for (const name of [...shells.there.keys()].filter(isDoomed)) {
          if (reason === "sidecar-lost") await shells.kill(name);
          else if (shells.links.filter((link) => link.name === name).length === 1) shells.cut(name);
        }
        return isOver;
      });
      const { report } = await running;
      isOver = true;
      await haunting;
      const found = verdicts(report);
      assert.equal(found, [`doomed error/${reason}`, ...EXPECTED], report.warnings.join("\n"));
      assert.is(exitCodeOf(report, { exitZero: false, baselineOnly: false }), 7);
      assert.is(report.end, "complete");
      assert.equal(report.sidecars.left, []);
      assert.equal(await leftOn(shells), []);
    },
    { timeoutMs: 30_000 },
  );
}

for (const when of ["unsent", "running", "unanswered"] as const) {
  test(`a baseline is frozen although the connection is lost twice at it: ${when}`, async () => {
    const drops = [0, 1].map((nth) => ({ verb: "freeze" as const, nth, when, afterMs: 0 }));
    const { report, progress, hosts } = await run({ ...NO_FAULTS, drops });
    assertVerdicts(report, progress);
    assert.is(hosts.hit.get(`freeze ${when}`), 2);
  });
}

test("a lane notices that its host was replaced by another lane", async () => {
  const drops = [{ verb: "init" as const, nth: 1, when: "unsent" as const, afterMs: 0 }];
  const refusal = { fault: "refused" as const, kind: "while-booting" as const };
  const { report, progress, hosts } = await run({
    ...NO_FAULTS,
    // While one lane waits to dial again, the other one makes a new host.
    connects: [null, { ...refusal, when: "before" }],
    drops,
    deaths: [{ verb: "run", nth: 0, afterMs: 30 }],
  }, { lanes: 2 });
  assertVerdicts(report, progress);
  assert.is(hosts.hit.get("run death"), 1);
});
