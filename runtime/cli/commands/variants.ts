import { isAbsolute, resolve } from "node:path";
import type { Clock } from "../../clock.ts";
import type {
  CampaignRequest,
  Progress,
  ProjectCommand,
  RunCampaign,
} from "../../variants/campaign-request.ts";
import type { CampaignReport } from "../../variants/report.ts";
import type { Variant } from "../../variants/variant.ts";
import { chooseVariants } from "../choose-variants.ts";
import { chooseCommands, type ChosenCommands } from "../config/choose-commands.ts";
import { type LoadedConfig, loadProjectConfig } from "../config/load-project-config.ts";
import { emptyReport } from "../empty-report.ts";
import type { CliIo } from "../io.ts";
import { availableProcessors } from "../options/available-processors.ts";
import { prepareOutput, writeOutput } from "../output-folder.ts";
import { type HostFlags, hostsChoice } from "../hosts-choice.ts";
import { type SettingFlags, settingsFrom, settingWarnings, stateHomeOf } from "../settings.ts";
import { VERSION } from "../version.ts";
import { type Plan, planVariants } from "./plan-variants.ts";

/** What the command line says, parsed. */
export interface VariantsOptions extends SettingFlags, HostFlags {
  readonly command: readonly ProjectCommand[];
  readonly build: readonly ProjectCommand[];
  readonly name?: string | undefined;
  readonly id: readonly string[];
  readonly list?: boolean | undefined;
  readonly dryRun?: boolean | undefined;
  readonly fresh?: boolean | undefined;
  readonly output?: string | undefined;
  readonly config?: string | undefined;
}

/** What the command has of its surroundings. */
export interface VariantsPorts {
  readonly io: Pick<CliIo, "stdin" | "env" | "cwd">;
  readonly clock: Clock;
  readonly random: () => number;
  readonly signal: AbortSignal;
  readonly onProgress: (progress: Progress) => void;
  /** Loads the engine: late, so that nothing else waits for it. */
  readonly loadRunCampaign: () => Promise<RunCampaign>;
}

/** What the command answers; views print it. */
export type VariantsAnswer =
  | { readonly kind: "list"; readonly variants: readonly Variant[] }
  | { readonly kind: "plan"; readonly plan: Plan }
  | {
    readonly kind: "report";
    readonly report: CampaignReport;
    /** `null` where there was nothing to run. */
    readonly commands: ChosenCommands | null;
    readonly output: string | null;
  };

/**
 * `sidecanary variants <source>`: reads the variants, finds the commands and runs the campaign.
 *
 * @throws SidecanaryError what kept it from having an answer
 */
export async function variants(
  source: string,
  options: VariantsOptions,
  ports: VariantsPorts,
): Promise<VariantsAnswer> {
  const { io } = ports;
  const { readVariants } = await import("../../variants/read.ts");
  const path = source === "-" ? source : at(io.cwd, source);
  const chosen = chooseVariants(await readVariants(path, { stdin: io.stdin }), options.id);
  if (options.list) return { kind: "list", variants: chosen };
  const output = options.output === undefined ? null : at(io.cwd, options.output);
  if (chosen.length === 0 && options.baseline !== "only") {
    const report = emptyReport(VERSION);
    if (output !== null) {
      await prepareOutput(output);
      await writeOutput(output, report, []);
    }
    return { kind: "report", report, commands: null, output };
  }
  const { config, commands, request } = requestFor(chosen, options, output, ports);
  if (options.dryRun) return { kind: "plan", plan: await planVariants(request, commands) };
  if (output !== null) await prepareOutput(output);
  const warnings = settingWarnings(request, options, config?.config ?? {}, request.commands);
  for (const message of warnings) ports.onProgress({ type: "warning", message });
  const runCampaign = await ports.loadRunCampaign();
  const ran = await runCampaign(request);
  const report = { ...ran, warnings: [...warnings, ...ran.warnings] };
  if (output !== null) await writeOutput(output, report, chosen);
  return { kind: "report", report, commands, output };
}

interface Prepared {
  readonly config: LoadedConfig | undefined;
  readonly commands: ChosenCommands;
  readonly request: CampaignRequest;
}

function requestFor(
  chosen: readonly Variant[],
  options: VariantsOptions,
  output: string | null,
  { io, clock, random, signal, onProgress }: VariantsPorts,
): Prepared {
  const given = options.config === undefined ? undefined : at(io.cwd, options.config);
  const config = loadProjectConfig(io.cwd, given);
  const commands = chooseCommands(io.cwd, options, config);
  const { choice, ...settings } = settingsFrom(
    options,
    config?.config ?? {},
    availableProcessors(),
  );
  const request: CampaignRequest = {
    ...settings,
    hosts: hostsChoice(choice, options, config?.config ?? {}, io),
    cwd: commands.folder,
    variants: chosen,
    builds: commands.builds,
    commands: commands.commands,
    fresh: options.fresh === true,
    output,
    stateHome: stateHomeOf(io.env),
    version: VERSION,
    signal,
    onProgress,
    clock,
    random,
  };
  return { config, commands, request };
}

function at(cwd: string, path: string): string {
  return isAbsolute(path) ? path : resolve(cwd, path);
}
