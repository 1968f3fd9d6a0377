import { type Command, Option } from "commander";
import type { ProjectCommand } from "../../variants/campaign-request.ts";
import type { VariantsOptions } from "../commands/variants.ts";
import { parseCommand } from "../options/parse-command.ts";
import { parseDuration } from "../options/parse-duration.ts";
import { parseJobs } from "../options/parse-jobs.ts";
import { KILL_PRESETS, parseKillExitCodes } from "../options/parse-kill-exit-codes.ts";
import { parseCount, parseFactor } from "../options/parse-number.ts";
import { hostOptions } from "./host-options.ts";
import { checked, texts, tidy } from "./tidy.ts";

/** How results are printed. */
export const FORMATS = ["human", "json", "jsonl", "chunk"] as const;

/** The options of `variants` that concern its views and its exit code, and those of the command. */
export interface VariantsFlags extends VariantsOptions {
  readonly format?: (typeof FORMATS)[number] | undefined;
  readonly exitZero?: boolean | undefined;
  readonly quiet?: boolean | undefined;
  readonly verbose?: boolean | undefined;
}

/** What is done for `sidecanary variants`. */
export type VariantsAction = (source: string, options: VariantsFlags) => Promise<void>;

/** Also shown by `sidecanary --help`. */
export const EXAMPLES = `
Examples:
  sidecanary variants variants.json                     the project's own test command
  sidecanary variants patches/ --command 'node test.js' a folder of .patch files
  jq '.[:5]' variants.json | sidecanary variants -      from standard input
  sidecanary variants variants.json --dry-run           which patches apply, nothing is run
  sidecanary variants variants.json --format chunk      the array of chunk validate variants

Exit codes, the first that applies:
  70 internal error              1 usage, input or configuration
   4 baseline failed, run void   7 incomplete: an error, or cancelled
   2 a variant survived          3 only timeouts beside kills
   0 otherwise                   130, 143, 129 ended by SIGINT, SIGTERM, SIGHUP`;

/** Adds `sidecanary variants`. */
export function addVariants(program: Command, action: VariantsAction): void {
  const variants = program.command("variants").exitOverride();
  variants
    .summary("apply each variant's patch in a sandbox, run the tests, say which saw it")
    .description(
      "Applies each variant's patch to a snapshot of the working tree in a sandbox of its own, runs " +
        "the project's commands there, and says which variants the tests killed.\nResults go to " +
        "standard output, progress and summary to standard error.",
    )
    .argument("<source>", "a JSON array, JSON Lines, a folder of patches, or - for standard input")
    .action((source: string, flags: VariantsFlags & { parallel?: string }) =>
      action(source, { ...flags, jobs: flags.jobs ?? flags.parallel })
    )
    .addHelpText("after", EXAMPLES);
  for (const option of variantsOptions()) variants.addOption(option);
}

function variantsOptions(): Option[] {
  const commands = (value: string, before: readonly ProjectCommand[]): ProjectCommand[] => [
    ...before,
    tidy(parseCommand)(value),
  ];
  const time = tidy(parseDuration);
  const kill = `which exit codes are a kill: a list (1,2,5-9) or ${KILL_PRESETS.join(", ")}`;
  return [
    new Option("--command <[name=]cmd>", "a test command; repeat for more, in order")
      .argParser(commands).default([], "of the configuration"),
    new Option("--build <[name=]cmd>", "run before the tests; a failure is an error, not a kill")
      .argParser(commands).default([], "of the configuration"),
    new Option("--name <name>", "run only this configured command"),
    new Option("-j, --jobs <n>", "variants at once: 4, 50% or auto (default: auto)")
      .argParser(checked(parseAnyJobs)),
    new Option("--parallel <n>", "the same as --jobs").argParser(checked(parseAnyJobs)).hideHelp(),
    new Option(
      "--timeout <time>",
      "of each command: 90 (seconds), 30s, 2m (default: from the baseline)",
    ).argParser(time),
    new Option("--timeout-multiplier <n>", "timeout = n × the baseline's time (default: 5)")
      .argParser(tidy(parseFactor)),
    new Option("--minimum-timeout <time>", "the least timeout from the baseline (default: 20s)")
      .argParser(time),
    new Option("--kill-exit-codes <codes>", kill).argParser(checked(parseKillExitCodes)),
    new Option("--baseline <mode>", "the commands without a patch").choices(["run", "skip", "only"])
      .default("run"),
    new Option("--id <id>", "only this variant; repeat, or separate with commas")
      .argParser(texts).default([], "all"),
    new Option("--fail-fast [n]", "stop after n survivors; 1 without a number")
      .argParser(tidy(parseCount)),
    new Option("--list", "print the variants and end"),
    new Option("--dry-run", "try the patches and say what would run"),
    new Option("--fresh", "forget an unfinished run of the same campaign"),
    new Option("--format <format>", "of the results (default: human on a terminal, else json)")
      .choices(FORMATS),
    new Option("--output <folder>", "write report.json, logs and the patches of survivors there"),
    new Option("--exit-zero", "end with 0 in place of 2, 3 and 7"),
    ...hostOptions("local"),
    new Option("--setup <cmd>", "run once on each host after the first sync: 'npm ci'"),
    new Option("--quiet", "print results and errors only"),
    new Option("--verbose", "print kills, steps and stacks too"),
    new Option("--config <file>", "use this file in place of the nearest sidecanary.json"),
  ];
}

function parseAnyJobs(text: string): number {
  return parseJobs(text, 1);
}
