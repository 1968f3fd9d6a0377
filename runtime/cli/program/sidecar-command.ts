import { type Command, Option } from "commander";
import { parseDuration } from "../options/parse-duration.ts";
import { parseVariable } from "../options/parse-variable.ts";
import { addServe, type ServeAction } from "./serve-command.ts";
import { texts, tidy } from "./tidy.ts";
import { placeOptions, type WarmFlags, whichOptions } from "./warm-options.ts";

/** The options of the commands below `sidecar`; each has some of them. */
export interface SidecarFlags extends WarmFlags {
  /** In ms. */
  readonly ttl?: number | undefined;
  readonly all?: boolean | undefined;
  readonly sync?: boolean | undefined;
  readonly full?: boolean | undefined;
  /** `K=V`. */
  readonly env?: readonly string[] | undefined;
  readonly expired?: boolean | undefined;
  readonly dryRun?: boolean | undefined;
}

/** What is done for the commands below `sidecar`. */
export interface SidecarActions {
  readonly create: (flags: SidecarFlags) => Promise<void>;
  readonly list: (flags: SidecarFlags) => Promise<void>;
  readonly exec: (command: readonly string[], flags: SidecarFlags) => Promise<void>;
  readonly ssh: (command: readonly string[], flags: SidecarFlags) => Promise<void>;
  readonly sync: (flags: SidecarFlags) => Promise<void>;
  readonly destroy: (names: readonly string[], flags: SidecarFlags) => Promise<void>;
  readonly prune: (flags: SidecarFlags) => Promise<void>;
  readonly serve: ServeAction;
}

const EXAMPLES = `
Examples:
  sidecanary sidecar create --sidecar docker:node:22
  sidecanary sidecar exec --sync -- npm test
  sidecanary sidecar ssh
  sidecanary sidecar destroy

Exit codes: 0 done, 1 usage or configuration, 7 a host failed; exec and ssh: the command's own.`;

/** Adds `sidecanary sidecar` and its commands. */
export function addSidecar(program: Command, actions: SidecarActions): void {
  const sidecar = program.command("sidecar").exitOverride().enablePositionalOptions();
  sidecar
    .summary("make, use and remove sidecars that stay")
    .description(
      "Sidecars that outlive a command: made once, brought up to date with the working tree, and " +
        "used again by sidecanary validate and by the commands below.",
    )
    .addHelpText("after", EXAMPLES);
  const add = (
    name: string,
    summary: string,
    example: string,
    options: readonly Option[],
  ): Command => {
    const command = sidecar.command(name).exitOverride().summary(summary)
      .description(`${summary[0]?.toUpperCase()}${summary.slice(1)}.`)
      .addHelpText("after", `\nExample:\n  sidecanary sidecar ${example}`);
    for (const option of options) command.addOption(option);
    return command;
  };
  const setup = new Option("--setup <cmd>", "run once on each host after the first sync: 'npm ci'");

  add("create", "make a sidecar, or find the one that is there", "create --name big --ttl 8h", [
    ...whichOptions(),
    new Option("--ttl <time>", "after which anybody may remove it (default: 4h)")
      .argParser(tidy(parseDuration)),
    ...placeOptions(),
  ]).action((flags: SidecarFlags) => actions.create(flags));

  add("list", "list this working tree's sidecars", "list --all --sidecar circleci", [
    new Option("--all", "every sidecar of ours at the provider, of any owner, with its expiry"),
    ...placeOptions(),
  ]).action((flags: SidecarFlags) => actions.list(flags));

  add(
    "exec",
    "run a command there; one word is a line for sh, several are taken as they are",
    "exec --sync --env CI=1 -- npm test",
    [
      ...whichOptions(),
      new Option("--sync", "bring the working tree there first"),
      setup,
      envOption(),
      ...placeOptions(),
    ],
  ).argument("<command...>", "the command and its arguments").passThroughOptions()
    .action((command: string[], flags: SidecarFlags) => actions.exec(command, flags));

  add("ssh", "open a terminal there, or run a command in one", "ssh -- top", [
    ...whichOptions(),
    envOption(),
    ...placeOptions(),
  ]).argument("[command...]", "in place of the login shell").passThroughOptions()
    .action((command: string[], flags: SidecarFlags) => actions.ssh(command, flags));

  add("sync", "bring the working tree there, as a difference to what it has", "sync --full", [
    ...whichOptions(),
    new Option("--full", "send everything"),
    setup,
    ...placeOptions(),
  ]).action((flags: SidecarFlags) => actions.sync(flags));

  add("destroy", "destroy sidecars of this working tree", "destroy big", [
    new Option("--all", "all of them"),
    ...whichOptions().slice(1),
    ...placeOptions(),
  ]).argument("[name...]", "their names (default: the session's)")
    .action((names: string[], flags: SidecarFlags) => actions.destroy(names, flags));

  add(
    "prune",
    "destroy expired sidecars of ours at the provider, of any owner",
    "prune --dry-run --sidecar circleci",
    [
      new Option("--expired", "only expired ones, as always: live ones are never touched"),
      new Option("--dry-run", "say what would be destroyed"),
      ...placeOptions(),
    ],
  ).action((flags: SidecarFlags) => actions.prune(flags));

  addServe(sidecar, actions.serve);
}

function envOption(): Option {
  return new Option("--env <k=v>", "a variable of the command; repeat for more")
    .argParser((value: string, before: readonly string[]) => {
      tidy(parseVariable)(value);
      return texts(value, before);
    }).default([], "none");
}
