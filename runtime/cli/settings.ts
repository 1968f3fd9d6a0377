import { homedir } from "node:os";
import { isAbsolute, join } from "node:path";
import { UNMEASURED_BUDGET_MS } from "../variants/budgets.ts";
import type { CampaignRequest, ProjectCommand } from "../variants/campaign-request.ts";
import type { ProjectConfig } from "./config/project-config.ts";
import { parseDuration } from "./options/parse-duration.ts";
import { parseJobs } from "./options/parse-jobs.ts";
import { parseKillExitCodes } from "./options/parse-kill-exit-codes.ts";
import { parseSidecar } from "./options/parse-sidecar.ts";

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
  readonly sidecar?: string | undefined;
}

/** How a campaign runs. */
export type Settings = Pick<
  CampaignRequest,
  | "workers"
  | "timeoutMs"
  | "timeoutMultiplier"
  | "minimumTimeoutMs"
  | "killExitCodes"
  | "baseline"
  | "failFast"
  | "isolation"
>;

/**
 * Flags before `sidecanary.json` before defaults.
 *
 * @param available how many processors this process may use
 * @throws RangeError when a text means nothing
 */
export function settingsFrom(
  flags: SettingFlags,
  config: ProjectConfig,
  available: number,
): Settings {
  const { baseline } = flags;
  const timeoutMs = flags.timeout ?? ms(config.timeout) ?? null;
  return {
    workers: parseJobs(flags.jobs ?? config.jobs ?? "auto", available),
    timeoutMs: timeoutMs ?? (baseline === "skip" ? UNMEASURED_BUDGET_MS : null),
    timeoutMultiplier: flags.timeoutMultiplier ?? config.timeoutMultiplier ?? 5,
    minimumTimeoutMs: flags.minimumTimeout ?? ms(config.minimumTimeout) ?? 20_000,
    killExitCodes: parseKillExitCodes(flags.killExitCodes ?? config.killExitCodes ?? "default"),
    baseline,
    failFast: flags.failFast ?? null,
    isolation: parseSidecar(flags.sidecar ?? config.sidecar ?? "local"),
  };
}

/** What people should know of these settings before the run. */
export function settingWarnings(
  settings: Settings,
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

function ms(time: string | number | undefined): number | undefined {
  return time === undefined ? undefined : parseDuration(time);
}
