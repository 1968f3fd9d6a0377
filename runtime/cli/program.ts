import { Argument, Command, InvalidArgumentError, Option } from "commander";
import type { ProjectCommand } from "../variants/campaign-request.ts";
import type { VariantsOptions } from "./commands/variants.ts";
import { type CliIo, write } from "./io.ts";
import { parseCommand } from "./options/parse-command.ts";
import { parseDuration } from "./options/parse-duration.ts";
import { parseJobs } from "./options/parse-jobs.ts";
import { KILL_PRESETS, parseKillExitCodes } from "./options/parse-kill-exit-codes.ts";
import { parseCount, parseFactor } from "./options/parse-number.ts";
import { parseSidecars } from "./options/parse-sidecar.ts";
import { VERSION } from "./version.ts";

/** How results are printed. */
export const FORMATS = ["human", "json", "jsonl", "chunk"] as const;

/** The shells that have a completion script. */
export const SHELLS = ["bash", "zsh", "fish"] as const;

/** The options of `variants` that concern its views and its exit code, and those of the command. */
export interface VariantsFlags extends VariantsOptions {
  readonly format?: (typeof FORMATS)[number] | undefined;
  readonly exitZero?: boolean | undefined;
  readonly quiet?: boolean | undefined;
  readonly verbose?: boolean | undefined;
}

/** What is done for each command. */
export interface Actions {
  readonly variants: (source: string, options: VariantsFlags) => Promise<void>;
  readonly completion: (shell: (typeof SHELLS)[number]) => Promise<void>;
}

const EXAMPLES = `
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

/** The tree of commands and options. Parsing rejects with a CommanderError where it is misused. */
export function createProgram(io: Pick<CliIo, "stdout" | "stderr">, actions: Actions): Command {
  const program = new Command("sidecanary");
  program
    .description("Prove changes on sidecars; ship versions behind canaries.")
    .version(VERSION, "-V, --version", "print the version")
    .helpOption("-h, --help", "print this help")
    .showSuggestionAfterError()
    .exitOverride()
    // A value that may be left out is never the next argument.
    .configureHelp({ optionTerm: ({ flags }) => flags.replace(" [", "[=") })
    .configureOutput({
      writeOut: (text) => void write(io.stdout, text),
      writeErr: (text) => void io.stderr.write(text),
      outputError: (text, write) => write(errorLine(text)),
    });
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
      actions.variants(source, { ...flags, jobs: flags.jobs ?? flags.parallel })
    )
    .addHelpText("after", EXAMPLES);
  for (const option of variantsOptions()) variants.addOption(option);
  program.command("completion").exitOverride()
    .summary("print a completion script")
    .description('Prints a script that completes sidecanary: eval "$(sidecanary completion bash)"')
    .addArgument(new Argument("<shell>", "the shell").choices(SHELLS))
    .action((shell: (typeof SHELLS)[number]) => actions.completion(shell));
  program.addHelpText("after", EXAMPLES);
  return program;
}

function variantsOptions(): Option[] {
  const commands = (value: string, before: readonly ProjectCommand[]): ProjectCommand[] => [
    ...before,
    tidy(parseCommand)(value),
  ];
  const texts = (value: string, before: readonly string[]): string[] => [...before, value];
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
    ...hostOptions(),
    new Option("--setup <cmd>", "run once on each host after the first sync: 'npm ci'"),
    new Option("--quiet", "print results and errors only"),
    new Option("--verbose", "print kills, steps and stacks too"),
    new Option("--config <file>", "use this file in place of the nearest sidecanary.json"),
  ];
}

/** The options that say where commands run. */
function hostOptions(): Option[] {
  const sidecars = (value: string, before: readonly string[]): string[] => {
    tidy((text) => parseSidecars([text]))(value);
    return [...before, value];
  };
  return [
    new Option(
      "--sidecar <where>",
      "local, ssh://user@host[?lanes=2] (repeat for more), docker:IMAGE, circleci, https://host",
    ).argParser(sidecars).default([], "local"),
    new Option("--identity-file <file>", "the private key for ssh"),
    new Option("--accept-new", "trust and remember the keys of ssh hosts that are not known yet"),
    new Option("--image <id>", "the snapshot that CircleCI's sidecars start from"),
    new Option("--org-id <id>", "the organisation of CircleCI's sidecars"),
  ];
}

function parseAnyJobs(text: string): number {
  return parseJobs(text, 1);
}

/** A parser of ours as commander likes it. */
function tidy<T>(parse: (text: string) => T): (text: string) => T {
  return (text) => {
    try {
      return parse(text);
    } catch (error) {
      if (error instanceof RangeError) throw new InvalidArgumentError(error.message);
      throw error;
    }
  };
}

/** Refuses what cannot be parsed, and keeps the text: what it means depends on more. */
function checked(parse: (text: string) => unknown): (text: string) => string {
  return (text) => {
    tidy(parse)(text);
    return text;
  };
}

/** commander's message in one line, with where to look. */
function errorLine(text: string): string {
  const line = text.trim().replace(/^error: /, "").replace(/\s*\n\s*/g, " ");
  // commander does not know that the number was meant for the option before it.
  const hint = line.startsWith("too many arguments for 'variants'")
    ? "a number of survivors is given as --fail-fast=3; "
    : "";
  const invalid = /^option '(?:-\w, )?(--[\w-]+)[^']*' argument '[^]*?' is invalid\. ([^]*)$/.exec(
    line,
  );
  return invalid === null
    ? `sidecanary: ${line} (${hint}sidecanary --help lists commands and options)\n`
    : `sidecanary: ${invalid[1]}: ${invalid[2]}\n`;
}
