import { type Command, Option } from "commander";
import type { ProjectCommand } from "../../variants/campaign-request.ts";
import { parseCommand } from "../options/parse-command.ts";
import { parseDuration } from "../options/parse-duration.ts";
import { parseVariable } from "../options/parse-variable.ts";
import { texts, tidy } from "./tidy.ts";
import { placeOptions, sessionOption, type WarmFlags } from "./warm-options.ts";

/** The options of `validate`. */
export interface ValidateFlags extends Omit<WarmFlags, "name"> {
  readonly command: readonly ProjectCommand[];
  /** In ms. */
  readonly timeout?: number | undefined;
  /** In ms. */
  readonly ttl?: number | undefined;
  /** `K=V`. */
  readonly env: readonly string[];
  readonly list?: boolean | undefined;
  readonly dryRun?: boolean | undefined;
}

/** What is done for `sidecanary validate`. */
export type ValidateAction = (name: string | undefined, flags: ValidateFlags) => Promise<void>;

const EXAMPLES = `
Examples:
  sidecanary validate --sidecar docker:node:22      the configured commands, on a sidecar that is kept
  sidecanary validate lint                          only the command of this name
  sidecanary validate --command 'npm test'          another command
  sidecanary validate --sidecar local               in a sandbox on this machine
  sidecanary validate --dry-run                     what would run, and where

Exit codes: 0 all passed, 2 a command failed, 1 usage or configuration, 7 could not be run.
As an agent's stop hook (hook JSON on standard input) output goes to standard error: see
docs/validate.md.`;

/** Adds `sidecanary validate`. */
export function addValidate(program: Command, action: ValidateAction): void {
  const commands = (value: string, before: readonly ProjectCommand[]): ProjectCommand[] => [
    ...before,
    tidy(parseCommand)(value),
  ];
  const validate = program.command("validate").exitOverride();
  validate
    .summary("run the project's commands on the present tree, on a sidecar that is kept warm")
    .description(
      "Brings the working tree as it is now to the session's sidecar, which is made where there is " +
        "none and kept for the next time, and runs the project's commands there.",
    )
    .argument("[name]", "only this configured command")
    .action((name: string | undefined, flags: ValidateFlags) => action(name, flags))
    .addHelpText("after", EXAMPLES);
  const options = [
    new Option("--command <[name=]cmd>", "a command; repeat for more, in order")
      .argParser(commands).default([], "of the configuration"),
    new Option("--timeout <time>", "of each command: 90 (seconds), 30s, 2m (default: 300s)")
      .argParser(tidy(parseDuration)),
    new Option("--env <k=v>", "a variable of the commands; repeat for more")
      .argParser((value: string, before: readonly string[]) => {
        tidy(parseVariable)(value);
        return texts(value, before);
      }).default([], "none"),
    new Option("--list", "print the commands and end"),
    new Option("--dry-run", "say what would run and where"),
    sessionOption(),
    new Option("--ttl <time>", "how long a new sidecar may stay (default: 4h)")
      .argParser(tidy(parseDuration)),
    new Option("--setup <cmd>", "run once on each host after the first sync: 'npm ci'"),
    ...placeOptions(),
  ];
  for (const option of options) validate.addOption(option);
}
