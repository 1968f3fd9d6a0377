import fc from "fast-check";
import { readFile } from "node:fs/promises";
import * as assert from "uvu/assert";
import { suite } from "../harness.ts";
import { check } from "../kit/check.ts";
import { treeDigest } from "../kit/tree-digest.ts";
import { campaign, project, request, variant, verdicts } from "./campaign-kit.ts";
import { killCampaign } from "./kill-campaign.ts";

const test = suite("verdicts-property");

/** What the commands do for a content of `value`, and what the verdict is then. */
const behaviours = {
  "1": "survived",
  pass: "survived",
  fail: "killed",
  three: "killed",
  missing: "error/env-command-missing",
  signal: "error/signalled",
  build: "error/build-failed",
} as const;

const script = `
  cat > test.sh <<'END'
  case "$(cat value)" in
    1 | pass) ;;
    missing) exit 127 ;;
    signal) kill -TERM $$ ;;
    three) exit 3 ;;
    *) exit 1 ;;
  esac
  # What one variant leaves must not reach the next one.
  test ! -e left.log && test "$(cat other)" = 1 && echo left > left.log && echo 2 > other
END
  echo 'test "$(cat value)" != build' > build.sh`;

const plans = fc.record({
  values: fc.uniqueArray(
    fc.constantFrom<Exclude<keyof typeof behaviours, "1">[]>(
      "pass",
      "fail",
      "three",
      "missing",
      "signal",
      "build",
    ),
    { minLength: 1 },
  ),
  twin: fc.boolean(),
  workers: fc.integer({ min: 1, max: 4 }),
  isolation: fc.constantFrom<("overlay" | "copy")[]>("overlay", "copy"),
  /** How many progresses a first process lives for; `null`: there is no first process. */
  killAfter: fc.option(fc.integer({ min: 1, max: 60 })),
});

test("verdicts are a function of the variants, and the tree is left as it was", async () => {
  await check(
    fc.asyncProperty(plans, async ({ values, twin, workers, isolation, killAfter }) => {
      const repo = await project(script);
      const before = await treeDigest(repo.dir, { mtimes: "ms", folders: true });
      const ids = twin ? [...values, values[0] ?? "pass"] : values;
      const variants = ids.map((value, at) => variant(`${at}-${value}`, "value", value));
      const expected = ids.map((value, at) => {
        const status = behaviours[value];
        const isTwin = at === values.length;
        const shared = isTwin && !status.includes("/") ? `${status}/duplicate` : status;
        return `${at}-${value} ${shared}`;
      });
      const more = {
        workers,
        isolation,
        builds: [{ name: "build", run: "sh build.sh" }],
      };
      if (killAfter !== null) {
        let told = 0;
        await killCampaign(request(repo, variants, more), () => ++told === killAfter);
      }
      const { report } = await campaign(repo, variants, more);
      assert.equal(verdicts(report), expected);
      assert.is(report.end, "complete");
      assert.equal(await treeDigest(repo.dir, { mtimes: "ms", folders: true }), before);
      assert.not.match(await readFile("/proc/self/mounts", "utf8"), repo.base);
    }),
    { numRuns: 6 },
  );
}, { timeoutMs: 110_000 });
