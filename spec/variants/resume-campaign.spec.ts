import { readFile } from "node:fs/promises";
import { join } from "node:path";
import * as assert from "uvu/assert";
import type { CampaignRequest, Progress } from "../../runtime/variants/campaign-request.ts";
import { suite } from "../harness.ts";
import { processesWith, uniqueSleep } from "../kit/processes.ts";
import { treeDigest } from "../kit/tree-digest.ts";
import { campaign, project, request, variant, verdicts } from "./campaign-kit.ts";
import { killCampaign } from "./kill-campaign.ts";

const test = suite("resume-campaign");
const slow = { timeoutMs: 120_000 };

const variants = [
  variant("a", "value", "x"),
  variant("b", "other", "2"),
  variant("c", "value", "y"),
  variant("d", "other", "3"),
  variant("e", "value", "x"),
  variant("f", "value", "z"),
];
const expected = [
  "a killed",
  "b survived",
  "c killed",
  "d survived",
  "e killed/duplicate",
  "f killed",
];

/** A point of a campaign: the name, and whether a progress is it. */
const points: readonly (readonly [string, (progress: Progress, count: number) => boolean])[] = [
  ["in the preflight", ({ type }) => type === "phase"],
  ["before the baseline", ({ type }) => type === "campaign"],
  ["in the baseline", (each) => each.type === "phase" && each.phase === "baseline"],
  ["at the first lease", (each) => each.type === "state" && each.state === "booting"],
  ["at the first patch", (each) => each.type === "state" && each.state === "patching"],
  ["in the first test", (each) => each.type === "state" && each.state === "testing"],
  ["at the first verdict", ({ type }) => type === "verdict"],
  ["at the fourth verdict", ({ type }, count) => type === "verdict" && count === 4],
  ["at the end", (each) => each.type === "phase" && each.phase === "closing"],
];

for (const [name, isPoint] of points) {
  test(`runCampaign() killed ${name} goes on to the same verdicts`, async () => {
    const sleep = uniqueSleep();
    // The second sleep is only to be found in the list of processes.
    const run = `sleep 0.05; cat value; sh test.sh; code=$?; test -n "${sleep}"; exit $code`;
    const repo = await project();
    const before = await treeDigest(repo.dir, { mtimes: "ms", folders: true });
    const more = { commands: [{ name: "test", run }], workers: 2 };
    const seen = await killAt(request(repo, variants, more), isPoint);
    const { report, progress } = await campaign(repo, variants, more);
    assert.equal(verdicts(report), expected);
    assert.is(report.end, "complete");
    assert.ok(report.resumed >= seen.length, `${report.resumed} resumed of ${seen.length}`);
    const again = progress.flatMap((each) => each.type === "verdict" ? [each.result.id] : []);
    assert.equal(again.filter((id) => seen.includes(id)), []);
    assert.equal(processesWith(run), []);
    assert.not.match(await readFile("/proc/self/mounts", "utf8"), repo.base);
    assert.equal(await treeDigest(repo.dir, { mtimes: "ms", folders: true }), before);
  }, slow);
}

test("runCampaign() killed again and again comes to the same verdicts", async () => {
  const repo = await project();
  const more = { commands: [{ name: "test", run: "sleep 0.05; sh test.sh" }], workers: 1 };
  for (let kill = 1; kill <= 3; kill++) {
    await killAt(request(repo, variants, more), ({ type }) => type === "verdict");
  }
  const { report } = await campaign(repo, variants, more);
  assert.equal(verdicts(report), expected);
}, slow);

test("kills that look alike are looked into when their process had no time to", async () => {
  const repo = await project();
  const broken = join(repo.base, "broken");
  await repo.sh(`cat > test.sh <<'END'
    test -e ${broken} && { echo cannot connect; exit 1; }
    test "$(cat value)" = poison && touch ${broken}
    case "$(cat other)$(cat value)" in *[!0-9a-z]*) exit 1 ;; esac
END
    git add -A; git commit -qm second`);
  const poisoned = [
    variant("poison", "value", "poison"),
    ...Array.from({ length: 4 }, (_, at) => variant(`v${at}`, "other", `${at + 2}`)),
  ];
  const commands = [{ name: "test", run: "sh test.sh; code=$?; sleep 0.3; exit $code" }];
  const more = { workers: 1, commands };
  const seen = await killAt(request(repo, poisoned, more), (_, count) => count === 4);
  assert.equal(seen, ["poison", "v0", "v1", "v2"]);
  await repo.sh(`rm ${broken}`);
  const { report } = await campaign(repo, poisoned, more);
  assert.is(report.resumed, 4);
  assert.equal(verdicts(report), poisoned.map(({ id }) => `${id} survived`));
}, slow);

test(
  "runCampaign() killed in the same test time after time still comes to its verdict",
  async () => {
    const repo = await project();
    const one = [variant("a", "value", "2")];
    const more = { commands: [{ name: "test", run: "sleep 0.2; sh test.sh" }] };
    for (let kill = 1; kill <= 5; kill++) {
      await killAt(
        request(repo, one, more),
        (each) => each.type === "state" && each.state === "testing",
      );
    }
    const { report } = await campaign(repo, one, more);
    assert.equal(verdicts(report), ["a killed"]);
  },
  slow,
);

test("a resumed campaign runs nothing before its environment is green again", async () => {
  const repo = await project();
  const broken = join(repo.base, "broken");
  const one = [variant("a", "other", "2")];
  const more = {
    commands: [{ name: "test", run: `test ! -e ${broken} && sleep 0.2 && sh test.sh` }],
  };
  await killAt(
    request(repo, one, more),
    (each) => each.type === "state" && each.state === "testing",
  );
  await repo.sh(`touch ${broken}`);
  const { report, progress } = await campaign(repo, one, more);
  assert.is(report.end, "failed");
  assert.is(report.counts.killed, 0);
  assert.is(progress.some((each) => each.type === "state" && each.state === "testing"), false);
  await repo.sh(`rm ${broken}`);
  const mended = await campaign(repo, one, more);
  assert.equal(verdicts(mended.report), ["a survived"]);
}, slow);

test("a change of the commands starts anew and says so", async () => {
  const repo = await project();
  await killAt(request(repo, variants), ({ type }) => type === "verdict");
  const { report, progress } = await campaign(repo, variants, {
    commands: [{ name: "test", run: "sh ./test.sh" }],
  });
  const told = progress.find((each) => each.type === "campaign");
  assert.equal(told?.type === "campaign" ? told.changed : [], ["commands"]);
  assert.is(report.resumed, 0);
  assert.equal(verdicts(report), expected);
}, slow);

test("fresh forgets the unfinished campaign, and a finished one runs anew", async () => {
  const repo = await project();
  await killAt(request(repo, variants), ({ type }) => type === "verdict");
  const first = await campaign(repo, variants, { fresh: true });
  assert.is(first.report.resumed, 0);
  const second = await campaign(repo, variants);
  assert.is(second.report.resumed, 0);
  assert.is.not(second.report.campaign, first.report.campaign);
  assert.equal(verdicts(second.report), expected);
}, slow);

async function killAt(
  told: CampaignRequest,
  isPoint: (progress: Progress, count: number) => boolean,
): Promise<readonly string[]> {
  const { seen, isKilled } = await killCampaign(told, isPoint);
  assert.ok(isKilled, "it was not killed");
  return seen;
}
