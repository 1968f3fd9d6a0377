import { join } from "node:path";
import { systemClock } from "../../runtime/clock.ts";
import type { CampaignRequest, Progress } from "../../runtime/variants/campaign-request.ts";
import type { CampaignReport } from "../../runtime/variants/report.ts";
import { runCampaign } from "../../runtime/variants/run-campaign.ts";
import type { Variant } from "../../runtime/variants/variant.ts";
import { type GitRepo, gitRepo } from "../kit/git-repo.ts";

/** A project whose test is `sh test.sh`: `value` must be 1, `other` may be anything. */
export async function project(more = ""): Promise<GitRepo> {
  return await gitRepo(`
    git init -q
    echo 1 > value; echo 1 > other; printf 'one\\ntwo\\n' > text
    printf 'test "$(cat value)" = 1 && test -s other && test -s text\\n' > test.sh
    echo '*.log' > .gitignore
    ${more}
    git add -A && git commit -qm first
  `);
}

/** A variant that writes `content` to a file of one line that says `before`. */
export function variant(
  id: string,
  file: string,
  content: string,
  more: Partial<Variant> & { readonly before?: string } = {},
): Variant {
  const { before = "1", ...rest } = more;
  const patch = `--- a/${file}\n+++ b/${file}\n@@ -1 +1 @@\n-${before}\n+${content}\n`;
  return { id, description: `${file} says ${content}`, patch, ...rest };
}

/** A request with quick defaults. */
export function request(
  repo: GitRepo,
  variants: readonly Variant[],
  more: Partial<CampaignRequest> = {},
): CampaignRequest {
  return {
    cwd: repo.dir,
    variants,
    builds: [],
    commands: [{ name: "test", run: "sh test.sh" }],
    workers: 2,
    timeoutMs: null,
    timeoutMultiplier: 5,
    minimumTimeoutMs: 20_000,
    killExitCodes: "default",
    baseline: "run",
    failFast: null,
    fresh: false,
    isolation: "auto",
    hosts: null,
    output: null,
    stateHome: join(repo.base, "state"),
    version: "1.2.3",
    signal: new AbortController().signal,
    onProgress: () => {},
    clock: systemClock,
    random: Math.random,
    ...more,
  };
}

/** Runs a campaign and answers its report with everything that was told meanwhile. */
export async function campaign(
  repo: GitRepo,
  variants: readonly Variant[],
  more: Partial<CampaignRequest> = {},
): Promise<{ readonly report: CampaignReport; readonly progress: readonly Progress[] }> {
  const progress: Progress[] = [];
  const onProgress = (each: Progress) => {
    progress.push(each);
    more.onProgress?.(each);
  };
  const report = await runCampaign({ ...request(repo, variants, more), onProgress });
  return { report, progress };
}

/** `id status` or `id status/reason` of every result. */
export function verdicts(report: CampaignReport): string[] {
  return report.results.map(({ id, status, reason }) =>
    reason === undefined ? `${id} ${status}` : `${id} ${status}/${reason}`
  );
}
