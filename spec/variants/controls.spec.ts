import { join } from "node:path";
import * as assert from "uvu/assert";
import { suite } from "../harness.ts";
import { campaign, project, variant, verdicts } from "./campaign-kit.ts";

const test = suite("controls");
const slow = { timeoutMs: 60_000 };

test(
  "a sidecar whose environment breaks: its verdicts are taken back and found elsewhere",
  async () => {
    const repo = await project();
    const broken = join(repo.base, "broken");
    // What the first variant leaves outside of its sandbox breaks its worker for good.
    await repo.sh(`cat > test.sh <<'END'
    test -e ${broken}-$SIDECANARY_WORKER && { echo cannot connect; exit 1; }
    test "$(cat value)" = poison && mkdir ${broken} && touch ${broken}-$SIDECANARY_WORKER && exit 0
    case "$(cat other)" in *[!0-9]*) exit 1 ;; esac
    case "$(cat value)" in poison | 1) exit 0 ;; *) exit 1 ;; esac
END
    git add -A; git commit -qm second`);
    const variants = [
      variant("poison", "value", "poison"),
      ...Array.from({ length: 12 }, (_, at) => variant(`v${at}`, "other", `${at + 2}`)),
      variant("kill", "value", "2"),
    ];
    const { report, progress } = await campaign(repo, variants);
    assert.equal(
      verdicts(report),
      variants.map(({ id }) => id === "kill" ? "kill killed" : `${id} survived`),
    );
    assert.is(report.end, "complete");
    const revoked = progress.findIndex(({ type }) => type === "revoked");
    const closing = progress.findIndex((each) => each.type === "phase" && each.phase === "closing");
    assert.ok(revoked > 0 && revoked < closing, "noticed while variants ran");
  },
  slow,
);

test(
  "an environment that breaks everywhere makes the run void, and nothing reads as killed",
  async () => {
    const repo = await project();
    const broken = join(repo.base, "broken");
    await repo.sh(breaksEverywhere(broken));
    const variants = [
      variant("poison", "value", "poison"),
      ...Array.from({ length: 8 }, (_, at) => variant(`v${at}`, "other", `${at + 2}`)),
    ];
    const { report } = await campaign(repo, variants, { workers: 1 });
    assert.is(report.end, "void");
    assert.is(report.counts.killed, 0);
    assert.match(report.reason ?? "", "baseline fails");
  },
  slow,
);

test("what breaks too late for a streak is noticed at the end", async () => {
  const repo = await project();
  await repo.sh(breaksEverywhere(join(repo.base, "broken")));
  const variants = [
    variant("poison", "value", "poison"),
    variant("a", "other", "2"),
    variant("b", "other", "3"),
  ];
  const { report } = await campaign(repo, variants, { workers: 1 });
  assert.is(report.end, "void");
  assert.is(report.counts.killed, 0);
}, slow);

test("kills that look alike cost a few more baselines, and stand", async () => {
  const repo = await project();
  const variants = Array.from({ length: 10 }, (_, at) => variant(`v${at}`, "value", `${at + 2}`));
  const { report, progress } = await campaign(repo, variants, { workers: 1 });
  assert.is(report.counts.killed, 10);
  assert.is(progress.some(({ type }) => type === "revoked"), false);
  assert.ok(report.warnings.some((each) => each.includes("All 10 variants were killed")));
}, slow);

test("a command that notices nothing but a file that is gone passes the control", async () => {
  // The command only notices a file that is gone.
  const repo = await project(`printf 'test -e value\\n' > test.sh`);
  const { report } = await campaign(repo, [variant("a", "value", "2")]);
  assert.equal(verdicts(report), ["a survived"]);
  assert.is(report.end, "complete");
}, slow);

for (const isolation of ["overlay", "copy"] as const) {
  for (const workers of [1, 4]) {
    test(`verdicts are the same with ${workers} workers and ${isolation}`, async () => {
      const repo = await project(`
        mkdir dir; echo 1 > dir/deep; ln -s value link
        printf 'test "$(cat value)" = 1 && test -s other && test -d dir && echo x > dirty.log\\n' > test.sh
      `);
      const variants = [
        variant("a", "value", "2"),
        variant("b", "other", "2"),
        variant("c", "dir/deep", "2"),
        variant("d", "test.sh", "exit 1", {
          before: `test "$(cat value)" = 1 && test -s other && test -d dir && echo x > dirty.log`,
        }),
        {
          id: "e",
          description: "deletes",
          patch:
            "diff --git a/other b/other\ndeleted file mode 100644\n--- a/other\n+++ /dev/null\n@@ -1 +0,0 @@\n-1\n",
        },
        variant("f", "test.sh", "exit 127", {
          before: `test "$(cat value)" = 1 && test -s other && test -d dir && echo x > dirty.log`,
        }),
      ];
      const { report } = await campaign(repo, variants, { workers, isolation });
      assert.equal(verdicts(report), [
        "a killed",
        "b survived",
        "c survived",
        "d killed",
        "e killed",
        "f error/env-command-missing",
      ]);
    }, slow);
  }
}

/** A test that fails for ever once it has run with the value `poison`. */
function breaksEverywhere(broken: string): string {
  return `cat > test.sh <<'END'
    test -e ${broken} && { echo cannot connect; exit 1; }
    test "$(cat value)" = poison && touch ${broken}
    case "$(cat other)$(cat value)" in *[!0-9a-z]*) exit 1 ;; esac
END
    git add -A; git commit -qm second`;
}
