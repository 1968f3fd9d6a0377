import fc from "fast-check";
import { readdir } from "node:fs/promises";
import * as assert from "uvu/assert";
import { suite } from "../harness.ts";
import { check } from "../kit/check.ts";
import { type FaultSchedule, faultsWithin } from "../kit/fault-schedule.ts";
import { addHits, scheduledHosts } from "../kit/fault-schedule-hosts.ts";
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
  sayHits,
} from "./faults-kit.ts";

const test = suite("shell-faults");
const runs = faultRuns(6);

interface Plan {
  readonly disposable: boolean;
  /** Hosts, and lanes on each. */
  readonly places: readonly [number, number];
  readonly schedule: FaultSchedule;
}

const plans: fc.Arbitrary<Plan> = fc.boolean().chain((disposable) =>
  fc.record({
    disposable: fc.constant(disposable),
    places: fc.constantFrom<(readonly [number, number])[]>([1, 1], [1, 2], [2, 1], [2, 2], [3, 1]),
    schedule: faultsWithin({ disposable }),
  })
);

test("the verdicts without faults are those of this machine", async () => {
  const repo = await faultProject();
  const { report, progress } = await faultCampaign(repo, faultRequest(null));
  assertVerdicts(report, progress);
  assert.is(EXPECTED.length, report.results.length);
});

test("faults within the limits change no verdict and leave nothing behind", async () => {
  const repo = await faultProject();
  const hits = new Map<string, number>();
  let heldBack = 0;
  let done = 0;
  await check(
    fc.asyncProperty(plans, async ({ disposable, places: [count, lanes], schedule }) => {
      const cache = await tempDir();
      const shells = shellHosts(cache, { apart: true, disposable });
      const hosts = scheduledHosts(shells, {
        schedule,
        cut: (name) => shells.cut(name),
        ...(disposable ? { kill: (name) => shells.kill(name) } : {}),
      });
      const request = { ...faultRequest(hosts, { lanes, workers: count * lanes }), fresh: true };
      const { report, progress } = await faultCampaign(repo, request);
      addHits(hits, hosts.hit);
      heldBack += hosts.heldBack;
      done++;
      assertVerdicts(report, progress);
      const { created, destroyed, left } = report.sidecars;
      assert.is(created, destroyed + left.length);
      assert.equal(left, []);
      assert.is(shells.there.size, 0);
      assert.equal(await leftOn(shells), []);
      if (disposable) assert.equal(await readdir(cache), []);
    }),
    { numRuns: runs },
  );
  sayHits(done, hits, heldBack);
}, { timeoutMs: 20_000 + runs * 5_000 });
