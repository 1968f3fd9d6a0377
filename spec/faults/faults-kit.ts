import process from "node:process";
import * as assert from "uvu/assert";
import type { HostProvider } from "../../runtime/sidecars/host-provider.ts";
import type {
  CampaignRequest,
  HostsChoice,
  Progress,
} from "../../runtime/variants/campaign-request.ts";
import type { CampaignReport } from "../../runtime/variants/report.ts";
import type { GitRepo } from "../kit/git-repo.ts";
import type { ShellHosts } from "../kit/shell-hosts.ts";
import { hastyClock } from "../kit/hasty-clock.ts";
import { campaign, project, variant } from "../variants/campaign-kit.ts";

/** How many schedules are tried: `SIDECANARY_FAULT_RUNS`, else a few. */
export function faultRuns(few: number): number {
  const told = Number(process.env["SIDECANARY_FAULT_RUNS"] ?? "");
  return Number.isSafeInteger(told) && told > 0 ? told : few;
}

/** Waits are over this many times as fast. */
const HASTE = 25;

/** One of each verdict that a command can lead to. */
export const VARIANTS = [
  variant("kills", "value", "2"),
  variant("survives", "other", "2"),
  variant("breaks", "value", "build"),
  variant("signals", "value", "signal"),
];

/** What they are on this machine. */
export const EXPECTED = [
  "kills killed",
  "survives survived",
  "breaks error/build-failed",
  "signals error/signalled",
];

const SCRIPT = `
  cat > test.sh <<'END'
  case "$(cat value)" in
    1) ;;
    signal) kill -TERM $$ ;;
    *) exit 1 ;;
  esac
  # What one run leaves must not reach another one, nor one of the same variant again.
  test ! -e left.log && echo left > left.log && test -s other
END
  echo 'test "$(cat value)" != build' > build.sh`;

/** The project of {@link VARIANTS}. */
export async function faultProject(): Promise<GitRepo> {
  return await project(SCRIPT);
}

/** A request's part for these variants. */
export function faultRequest(
  hosts: HostProvider | null,
  { lanes = 1, workers = 2 }: { readonly lanes?: number; readonly workers?: number } = {},
): Partial<CampaignRequest> {
  return {
    workers,
    builds: [{ name: "build", run: "sh build.sh" }],
    // An hour for us is two minutes for a command.
    timeoutMs: 3_600_000,
    clock: hastyClock(HASTE),
    hosts: hosts === null ? null : choose(hosts, lanes),
  };
}

/** Hosts that are there already. */
export function choose(hosts: HostProvider, lanes: number): HostsChoice {
  return { label: "hosts of a spec", lanes, setup: null, open: () => Promise.resolve(hosts) };
}

/** Runs the campaign of {@link VARIANTS}. */
export async function faultCampaign(
  repo: GitRepo,
  more: Partial<CampaignRequest>,
): Promise<{ readonly report: CampaignReport; readonly progress: readonly Progress[] }> {
  return await campaign(repo, VARIANTS, more);
}

/** Each variant was told one verdict, and all of them are what they are on this machine. */
export function assertVerdicts(
  report: CampaignReport,
  progress: readonly Progress[],
): void {
  const found = report.results.map(({ id, status, reason }) =>
    reason === undefined ? `${id} ${status}` : `${id} ${status}/${reason}`
  );
  assert.equal(
    found,
    EXPECTED,
    [report.end, report.reason, ...found, ...report.warnings].join("\n"),
  );
  const told = progress.flatMap((each) => each.type === "verdict" ? [each.result.id] : []);
  assert.equal(told.sort(), VARIANTS.map(({ id }) => id).sort());
  assert.is(report.end, "complete");
}

/**
 * What is left on hosts, in words. A watcher's last nap is over within a second of the watcher's end,
 * and nothing comes after it: a loop that naps would show itself.
 */
export async function leftOn(hosts: ShellHosts): Promise<string[]> {
  const { processes, folders } = await hosts.leftovers();
  return [...processes.filter((line) => !/^\d+ sleep 1$/.test(line)), ...folders];
}

/** Says in one line how often each fault happened. */
export function sayHits(runs: number, hits: ReadonlyMap<string, number>, heldBack: number): void {
  const each = [...hits].sort(([a], [b]) => a < b ? -1 : 1).map(([what, count]) =>
    `${what} ${count}`
  );
  const sum = [...hits.values()].reduce((a, b) => a + b, 0);
  console.log(`\n${runs} schedules, ${sum} faults, ${heldBack} held back: ${each.join("; ")}`);
}
