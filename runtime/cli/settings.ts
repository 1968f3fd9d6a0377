import { homedir } from "node:os";
import { isAbsolute, join } from "node:path";
import { SidecanaryError } from "../errors.ts";
import { UNMEASURED_BUDGET_MS } from "../variants/budgets.ts";
import type { CampaignRequest, ProjectCommand } from "../variants/campaign-request.ts";
import type { ProjectConfig } from "./config/project-config.ts";
import { lanesOf } from "./options/lanes-of.ts";
import { parseDuration } from "./options/parse-duration.ts";
import { parseJobs } from "./options/parse-jobs.ts";
import { parseKillExitCodes } from "./options/parse-kill-exit-codes.ts";
import { parseSidecars, type SidecarChoice } from "./options/parse-sidecar.ts";

/** What the command line may say of how a campaign runs. */
export interface SettingFlags {
  readonly jobs?: string | undefined;
  /** In ms. */
  readonly timeout?: number | undefined;
  readonly timeoutMultiplier?: number | undefined;
  /** In ms. */
  readonly minimumTimeout?: number | undefined;
  readonly killExitCodes?: string | undefined;
  readonly baseline: CampaignRequest["baseline"];
  readonly failFast?: number | undefined;
  readonly sidecar?: readonly string[] | undefined;
}

/** How many variants run at once on hosts that are made as they are needed. */
const HOSTS = 4;

/** How a campaign runs. */
export type Settings =
  & Pick<
    CampaignRequest,
    | "workers"
    | "timeoutMs"
    | "timeoutMultiplier"
    | "minimumTimeoutMs"
    | "killExitCodes"
    | "baseline"
    | "failFast"
    | "isolation"
  >
  & { readonly choice: SidecarChoice };

/**
 * Flags before `sidecanary.json` before defaults.
 *
 * @param available how many processors this process may use
 * @throws SidecanaryError `usage` when sidecars do not go together
 * @throws RangeError when another text means nothing
 */
export function settingsFrom(
  flags: SettingFlags,
  config: ProjectConfig,
  available: number,
): Settings {
  const { baseline } = flags;
  const choice = choiceOf(sidecarsOf(flags, config));
  const timeoutMs = flags.timeout ?? ms(config.timeout) ?? null;
  return {
    workers: workersFor(choice, flags.jobs ?? config.jobs ?? "auto", available),
    timeoutMs: timeoutMs ?? (baseline === "skip" ? UNMEASURED_BUDGET_MS : null),
    timeoutMultiplier: flags.timeoutMultiplier ?? config.timeoutMultiplier ?? 5,
    minimumTimeoutMs: flags.minimumTimeout ?? ms(config.minimumTimeout) ?? 20_000,
    killExitCodes: parseKillExitCodes(flags.killExitCodes ?? config.killExitCodes ?? "default"),
    baseline,
    failFast: flags.failFast ?? null,
    isolation: choice.kind === "local" ? choice.isolation : "auto",
    choice,
  };
}

/** What people should know of these settings before the run. */
export function settingWarnings(
  settings: Pick<Settings, "baseline">,
  flags: SettingFlags,
  config: ProjectConfig,
  commands: readonly ProjectCommand[],
): string[] {
  const given = flags.timeout ?? config.timeout;
  const blind = given === undefined && commands.some(({ timeoutMs }) => timeoutMs == null);
  if (settings.baseline !== "skip") return [];
  return [
    "without a baseline, a command that fails on the unchanged project kills every variant",
    ...(blind ? ["without a baseline, commands get 300 s: give --timeout for another budget"] : []),
  ];
}

/** `$XDG_STATE_HOME/sidecanary`, or `~/.local/state/sidecanary`; a relative one does not count. */
export function stateHomeOf(env: Readonly<Record<string, string | undefined>>): string {
  const { XDG_STATE_HOME, HOME } = env;
  const base = XDG_STATE_HOME !== undefined && isAbsolute(XDG_STATE_HOME)
    ? XDG_STATE_HOME
    : join(HOME || homedir(), ".local", "state");
  return join(base, "sidecanary");
}

/** The values of `--sidecar`, else those of the configuration. */
function sidecarsOf({ sidecar = [] }: SettingFlags, config: ProjectConfig): readonly string[] {
  if (sidecar.length > 0) return sidecar;
  const { sidecar: ofConfig = [] } = config;
  return typeof ofConfig === "string" ? [ofConfig] : ofConfig;
}

/** Each one is fine by itself where it is read; only together they may mean nothing. */
function choiceOf(sidecars: readonly string[]): SidecarChoice {
  try {
    return parseSidecars(sidecars);
  } catch (error) {
    if (!(error instanceof RangeError)) throw error;
    throw new SidecanaryError(
      "usage",
      `--sidecar: ${error.message}`,
      { option: "--sidecar" },
      error,
    );
  }
}

/** Machines that the user names have the lanes that they have. */
function workersFor(choice: SidecarChoice, jobs: string | number, available: number): number {
  const places = placesOf(choice);
  const workers = parseJobs(jobs, places ?? available);
  return choice.kind === "ssh" ? Math.min(workers, places ?? workers) : workers;
}

/** How many variants a choice has places for; `undefined` for this machine, which has processors. */
function placesOf(choice: SidecarChoice): number | undefined {
  switch (choice.kind) {
    case "local":
      return undefined;
    case "ssh":
      return choice.targets.reduce((sum, target) => sum + lanesOf(target), 0);
    case "docker":
    case "circleci":
    case "host":
      return HOSTS * lanesOf(choice.target);
  }
}

function ms(time: string | number | undefined): number | undefined {
  return time === undefined ? undefined : parseDuration(time);
}
