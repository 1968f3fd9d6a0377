import process from "node:process";
import { spawnSync } from "node:child_process";
import { chmodSync, existsSync, mkdirSync, readdirSync, writeFileSync } from "node:fs";
import { readdir, readFile } from "node:fs/promises";
import { join } from "node:path";
import * as assert from "uvu/assert";
import { isSidecanaryError } from "../../runtime/errors.ts";
import { parseReport } from "../../runtime/variants/report-schema.ts";
import { suite } from "../harness.ts";
import { processesWith, uniqueSleep } from "../kit/processes.ts";
import { treeDigest } from "../kit/tree-digest.ts";
import { campaign, project, variant, verdicts } from "./campaign-kit.ts";

const test = suite("run-campaign");
const slow = { timeoutMs: 60_000 };

test("runCampaign() tells killed from survived, rejected, empty and duplicate", async () => {
  const repo = await project();
  const before = await treeDigest(repo.dir, { mtimes: "ms", folders: true });
  const { report } = await campaign(repo, [
    variant("kill", "value", "2"),
    variant("live", "other", "2", { category: "c", tags: ["t"] }),
    variant("reject", "value", "2", { before: "9" }),
    { id: "empty", description: "", patch: "" },
    variant("twin", "value", "2"),
  ]);
  assert.equal(verdicts(report), [
    "kill killed",
    "live survived",
    "reject error/patch-rejected",
    "empty error/no-op-patch",
    "twin killed/duplicate",
  ]);
  const [kill, live, , , twin] = report.results;
  assert.is(kill?.command, "test");
  assert.is(kill?.exit_code, 1);
  assert.equal(kill?.location, { file: "value", line: 1 });
  assert.equal(live?.tags, ["t"]);
  assert.is(live?.exit_code, 0);
  assert.is(twin?.duplicateOf, "kill");
  assert.is(report.end, "complete");
  assert.is(report.complete, false);
  assert.is(report.measured, 3);
  assert.is(report.strictScore, 2 / 3);
  assert.equal(await treeDigest(repo.dir, { mtimes: "ms", folders: true }), before);
}, slow);

test("runCampaign() never calls a broken environment a kill", async () => {
  const repo = await project(`
    cat > test.sh <<'END'
    case "$(cat value)" in
      1) exit 0 ;;
      126) exit 126 ;;
      missing) no-such-command-here ;;
      kill) kill -KILL $$ ;;
      137) exit 137 ;;
      255) exit 255 ;;
      none) echo "running 0 tests"; exit 0 ;;
      *) exit 1 ;;
    esac
END
  `);
  const values = ["126", "missing", "kill", "137", "255", "none", "other"];
  const { report } = await campaign(repo, values.map((each) => variant(each, "value", each)));
  assert.equal(verdicts(report), [
    "126 error/env-command-not-executable",
    "missing error/env-command-missing",
    "kill error/signalled",
    "137 error/signalled",
    "255 error/unexpected-exit-code",
    "none error/no-tests",
    "other killed",
  ]);
  assert.match(report.results[1]?.error ?? "", "does not find it");
}, slow);

test("killExitCodes narrows what a kill is", async () => {
  const repo = await project(`printf 'exit $(($(cat value) - 1))\\n' > test.sh`);
  const { report } = await campaign(repo, [
    variant("three", "value", "4"),
    variant("four", "value", "5"),
  ], { killExitCodes: [4] });
  assert.equal(verdicts(report), ["three error/unexpected-exit-code", "four killed"]);
}, slow);

test("a failing build is an error, and what it leaves is where variants begin", async () => {
  const repo = await project(`
    printf 'test "$(cat value)" != 7 && echo built >> out.log\\n' > build.sh
    printf 'test "$(head -1 out.log)" = built && test "$(cat value)" = 1\\n' > test.sh
  `);
  const { report } = await campaign(repo, [
    variant("broken", "value", "7"),
    variant("killed", "value", "8"),
  ], { builds: [{ name: "build", run: "sh build.sh" }] });
  assert.equal(verdicts(report), ["broken error/build-failed", "killed killed"]);
  assert.is(report.results[0]?.command, "build");
  assert.is(existsSync(join(repo.dir, "out.log")), false);
}, slow);

test("a timeout is confirmed alone with twice the budget", async () => {
  const sleep = uniqueSleep();
  const repo = await project(`
    cat > test.sh <<'END'
    case "$(cat value)" in 1) ;; hang) sleep ${sleep} ;; slow) sleep 1.5 ;; *) exit 1 ;; esac
END
  `);
  const { report } = await campaign(repo, [
    variant("hang", "value", "hang"),
    variant("slow", "value", "slow"),
    variant("kill", "value", "2"),
  ], { timeoutMs: 1_000 });
  assert.equal(verdicts(report), ["hang timeout", "slow survived", "kill killed"]);
  assert.is(report.results[0]?.attempts, 2);
  assert.match(report.results[0]?.error ?? "", "2000 ms");
  assert.is(report.score, 2 / 3);
  assert.is(report.strictScore, 1 / 3);
  assert.equal(processesWith(sleep), []);
}, slow);

test("a failing baseline stops the campaign with its output", async () => {
  const repo = await project(`printf 'echo sad; exit 3\\n' > test.sh`);
  const { report } = await campaign(repo, [variant("a", "value", "2")]);
  assert.is(report.end, "baseline-failed");
  assert.equal(verdicts(report), ["a skipped/not-run"]);
  assert.is(report.baseline.failure?.exit_code, 3);
  assert.match(report.baseline.failure?.stdout ?? "", "sad");
}, slow);

test("a baseline that runs no tests fails", async () => {
  const repo = await project(`printf 'echo "no tests ran in 0.1s"\\n' > test.sh`);
  const { report } = await campaign(repo, [variant("a", "value", "2")]);
  assert.is(report.end, "baseline-failed");
  assert.match(report.reason ?? "", "no tests");
}, slow);

test("commands that do not look at the variants' files make the run void", async () => {
  const repo = await project(`printf 'true\\n' > test.sh`);
  const { report } = await campaign(repo, [variant("a", "value", "2"), variant("b", "other", "2")]);
  assert.is(report.end, "void");
  assert.is(report.complete, false);
  assert.match(report.reason ?? "", "do not look at these files");
}, slow);

test("baseline skip takes the budget that is given, or warns", async () => {
  const repo = await project();
  const { report } = await campaign(repo, [variant("a", "value", "2")], { baseline: "skip" });
  assert.equal(verdicts(report), ["a killed"]);
  assert.is(report.baseline.skipped, true);
  assert.is(report.baseline.commands[0]?.timeoutMs, 300_000);
  assert.ok(report.warnings.some((each) => each.includes("no timeout was given")));
}, slow);

test("baseline only runs no variant", async () => {
  const repo = await project();
  const { report } = await campaign(repo, [variant("a", "value", "2")], { baseline: "only" });
  assert.is(report.end, "complete");
  assert.equal(report.results, []);
  assert.is(report.baseline.commands.length, 1);
}, slow);

test("no variants are a complete campaign that measured nothing", async () => {
  const repo = await project();
  const { report } = await campaign(repo, []);
  assert.is(report.end, "complete");
  assert.is(report.measured, 0);
  assert.is(report.score, null);
}, slow);

test("failFast ends the campaign after so many survivors", async () => {
  const repo = await project();
  const variants = Array.from({ length: 8 }, (_, at) => variant(`v${at}`, "other", `${at + 2}`));
  const { report } = await campaign(repo, variants, { failFast: 2, workers: 1 });
  const { survived, skipped } = report.counts;
  assert.ok(survived >= 2 && survived < 8);
  assert.is(survived + skipped, 8);
  assert.ok(
    report.results.every(({ status, reason }) => status === "survived" || reason === "fail-fast"),
  );
}, slow);

test("a cancelled campaign keeps what is known, leaves nothing, and goes on", async () => {
  const sleep = uniqueSleep();
  const repo = await project(`
    printf 'case "$(cat value)" in 1) ;; wait) sleep ${sleep} ;; *) exit 1 ;; esac\\n' > test.sh
  `);
  const variants = [variant("a", "value", "2"), variant("b", "value", "wait")];
  const abort = new AbortController();
  const { report } = await campaign(repo, variants, {
    workers: 1,
    signal: abort.signal,
    onProgress: (each) => {
      if (each.type === "state" && each.variant === "b" && each.state === "testing") abort.abort();
    },
  });
  assert.is(report.end, "cancelled");
  assert.equal(verdicts(report), ["a killed", "b skipped/cancelled"]);
  assert.equal(processesWith(sleep), []);
  const again = await campaign(repo, variants, {
    timeoutMs: null,
    minimumTimeoutMs: 20_000,
    onProgress: (each) => {
      if (each.type === "state" && each.variant === "b" && each.state === "testing") second.abort();
    },
    signal: second.signal,
  });
  assert.is(again.report.resumed, 1);
  assert.is(
    again.progress.some((each) => each.type === "verdict" && each.result.id === "a"),
    false,
  );
}, slow);
const second = new AbortController();

test(
  "a run that is cancelled before there is a campaign reports every variant as skipped",
  async () => {
    const repo = await project();
    const variants = [variant("a", "value", "2", { tags: ["t"] }), variant("b", "value", "3")];
    const during = new AbortController();
    const { report } = await campaign(repo, variants, {
      signal: during.signal,
      onProgress: (each) => each.type === "phase" && during.abort(),
    });
    assert.equal([report.end, report.complete, report.score], ["cancelled", false, null]);
    assert.equal([report.counts.total, report.counts.skipped], [2, 2]);
    assert.equal(verdicts(report), ["a skipped/cancelled", "b skipped/cancelled"]);
    assert.equal(report.results[0]?.tags, ["t"]);
    assert.equal(parseReport(JSON.parse(JSON.stringify(report))), report);
    const before = await campaign(repo, variants, { signal: AbortSignal.abort() });
    assert.equal([before.report.end, before.report.counts.skipped], ["cancelled", 2]);
  },
  slow,
);

test("a clean-up that fails is a warning of a report that says everything else", async () => {
  const repo = await project();
  const state = join(repo.base, "state");
  let kept = "";
  const { report, progress } = await campaign(repo, [variant("a", "value", "2")], {
    onProgress: (each) => {
      if (each.type !== "phase" || each.phase !== "closing") return;
      kept = join(state, readdirSync(state)[0] ?? "", "payload", "kept");
      mkdirSync(kept);
      writeFileSync(join(kept, "file"), "");
      chmodSync(kept, 0o500);
      // Modes do not keep root from anything.
      spawnSync("chattr", ["+i", join(kept, "file")]);
    },
  });
  spawnSync("chattr", ["-i", join(kept, "file")]);
  chmodSync(kept, 0o700);
  assert.equal(verdicts(report), ["a killed"]);
  assert.is(report.complete, true);
  assert.ok(report.warnings.some((each) => each.includes(kept)), report.warnings.join());
  const told = progress.flatMap((each) => each.type === "warning" ? [each.message] : []);
  assert.ok(report.warnings.every((each) => told.includes(each)));
}, slow);

test("output gets the whole logs, however long", async () => {
  const repo = await project(`
    printf 'seq 1 30000; test "$(cat value)" = 1\\n' > test.sh
  `);
  const output = join(repo.base, "out");
  const { report } = await campaign(repo, [variant("a", "value", "2")], { output });
  const [a] = report.results;
  assert.ok((a?.stdout.length ?? 0) <= 16_384);
  const log = a?.logs?.stdout ?? "";
  assert.ok(log.startsWith(output));
  assert.is((await readFile(log, "utf8")).split("\n").length, 30_001);
}, slow);

test("a request that makes no sense is refused before anything is made", async () => {
  const repo = await project();
  const twice = [variant("a", "value", "2"), variant("a", "value", "3")];
  for (
    const [variants, more] of [[twice, {}], [[], { workers: 0 }], [[], { commands: [] }]] as const
  ) {
    const refused: unknown = await campaign(repo, variants, more).catch((error) => error);
    assert.instance(refused, RangeError);
  }
  assert.is(existsSync(join(repo.base, "state")), false);
}, slow);

test("a finished campaign leaves only its database and logs", async () => {
  const repo = await project();
  const { report } = await campaign(repo, [variant("a", "value", "2")]);
  const state = join(repo.base, "state");
  const [name = ""] = await readdir(state);
  const left = (await readdir(join(state, name))).sort();
  assert.equal(left.filter((each) => !each.startsWith("campaigns.db")), [
    "logs",
    "owner",
    "payload",
    "work",
  ]);
  assert.equal(await readdir(join(state, name, "work")), []);
  assert.equal(await readdir(join(state, name, "payload")), []);
  const mounts = await readFile("/proc/self/mounts", "utf8");
  assert.not.match(mounts, repo.dir);
  assert.ok(existsSync(report.results[0]?.logs?.stdout ?? ""));
}, slow);

test("a second campaign of the same tree is refused and names the process", async () => {
  const repo = await project();
  let refusal: unknown;
  await campaign(repo, [variant("a", "value", "2")], {
    onProgress: (each) => {
      if (each.type !== "phase" || each.phase !== "preflight") return;
      second_ = campaign(repo, []).catch((error) => refusal = error);
    },
  });
  await second_;
  assert.ok(isSidecanaryError(refusal, "campaign-locked"));
  assert.match((refusal as Error).message, `process ${process.pid}`);
}, slow);
let second_: Promise<unknown> | undefined;

test("state inside of the working tree is refused", async () => {
  const repo = await project();
  const refused = await campaign(repo, [], { stateHome: join(repo.dir, "state") })
    .catch((error) => error);
  assert.ok(isSidecanaryError(refused, "usage"));
  assert.is(existsSync(join(repo.dir, "state")), false);
}, slow);

test("a tree that changes meanwhile is told of", async () => {
  const repo = await project();
  const { report } = await campaign(repo, [variant("a", "value", "2")], {
    onProgress: (each) => {
      if (each.type === "verdict") changed ??= repo.sh("echo 5 > other");
    },
  });
  await changed;
  assert.equal(verdicts(report), ["a killed"]);
  assert.ok(report.warnings.some((each) => each.includes("working tree changed")));
}, slow);
let changed: Promise<unknown> | undefined;
