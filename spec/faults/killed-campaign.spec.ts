import fc from "fast-check";
import { readdir } from "node:fs/promises";
import { createInterface } from "node:readline";
import { join } from "node:path";
import * as assert from "uvu/assert";
import { formatHostName } from "../../runtime/sidecars/host-name.ts";
import type { CampaignRequest, Progress } from "../../runtime/variants/campaign-request.ts";
import { suite } from "../harness.ts";
import { check } from "../kit/check.ts";
import { spawnScript } from "../kit/run-script.ts";
import { shellHosts } from "../kit/shell-hosts.ts";
import { tempDir } from "../kit/temp-dir.ts";
import { request } from "../variants/campaign-kit.ts";
import {
  EXPECTED,
  faultCampaign,
  faultProject,
  faultRequest,
  faultRuns,
  leftOn,
  VARIANTS,
} from "./faults-kit.ts";

const test = suite("killed-campaign");
const runs = Math.ceil(faultRuns(8) / 4);

/** Runs a campaign in a process of its own and kills it; answers what it had told. */
async function killed(
  told: CampaignRequest,
  hosts: readonly string[],
  isPoint: (progress: Progress, count: number) => boolean,
): Promise<readonly Progress[]> {
  const child = spawnScript("kit/children/hosts-campaign.ts", [JSON.stringify(told), ...hosts]);
  let stderr = "";
  child.stderr?.setEncoding("utf8").on("data", (text: string) => stderr += text);
  const ended = new Promise<number | null>((resolve) => child.once("exit", resolve));
  const seen: Progress[] = [];
  let isKilled = false;
  if (child.stdout === null) throw new TypeError("no pipe");
  for await (const line of createInterface({ input: child.stdout })) {
    if (isKilled) continue;
    const progress = JSON.parse(line) as Progress;
    seen.push(progress);
    if (!isPoint(progress, seen.length)) continue;
    child.kill("SIGKILL");
    isKilled = true;
  }
  const code = await ended;
  if (!isKilled && code !== 0) throw new Error(`the campaign failed: ${stderr}`);
  return seen;
}

test("a campaign whose process is killed finds its hosts again and leaves nothing", async () => {
  const plans = fc.record({
    disposable: fc.boolean(),
    lanes: fc.constantFrom(1, 2),
    /** How many progresses the first process lives for. */
    killAfter: fc.integer({ min: 1, max: 50 }),
  });
  let resumed = 0;
  await check(
    fc.asyncProperty(plans, async ({ disposable, lanes, killAfter }) => {
      const repo = await faultProject();
      const cache = await tempDir();
      const more = faultRequest(null);
      const kind = disposable ? "disposable" : "lasting";
      // Somebody else's, which is not over yet.
      const foreign = formatHostName({
        owner: "zzzzzzzz",
        run: "other",
        index: 0,
        expiresAt: Date.now() + 86_400_000 * 365,
      });
      const before = shellHosts(cache, { apart: true, disposable });
      const { signal } = new AbortController();
      if (disposable) await before.create({ name: foreign, index: 0, expiresAt: 0 }, signal);
      const isLate = (_: Progress, count: number) => count === killAfter;
      const seen = await killed(
        request(repo, VARIANTS, more),
        [cache, kind, String(lanes)],
        isLate,
      );
      const made = disposable ? await readdir(cache) : [];
      const shells = shellHosts(cache, { apart: true, disposable });
      const { report } = await faultCampaign(repo, faultRequest(shells, { lanes }));
      const found = report.results.map(({ id, status, reason }) =>
        reason === undefined ? `${id} ${status}` : `${id} ${status}/${reason}`
      );
      assert.equal(found, EXPECTED, [report.end, ...found, ...report.warnings].join("\n"));
      resumed += report.resumed;
      // A verdict that was told before is not told otherwise.
      for (const progress of seen) {
        if (progress.type !== "verdict") continue;
        const { id, status } = progress.result;
        assert.is(report.results.find((each) => each.id === id)?.status, status);
      }
      assert.equal(report.sidecars.left, []);
      // What was there is taken over, not made a second time.
      const places = shells.asked.length + made.filter((name) => name !== foreign).length;
      assert.ok(places <= 2, `${places} hosts for two sidecars`);
      if (disposable) {
        assert.equal(await readdir(cache), [foreign]);
        assert.equal(await readdir(join(cache, foreign)), []);
      }
      assert.equal(await leftOn(shells), []);
    }),
    { numRuns: runs },
  );
  console.log(`\n${runs} campaigns killed, ${resumed} verdicts taken over`);
}, { timeoutMs: 20_000 + runs * 20_000 });
