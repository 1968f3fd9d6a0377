import { relative } from "node:path";
import { SidecanaryError } from "../../errors.ts";
import type { ProjectCommand } from "../../variants/campaign-request.ts";
import { nameOf } from "../options/parse-command.ts";
import { parseDuration } from "../options/parse-duration.ts";
import { chunkCommands } from "./chunk-commands.ts";
import type { LoadedConfig } from "./load-project-config.ts";
import { npmTest } from "./npm-test.ts";
import type { ConfigCommand } from "./project-config.ts";

/** What a campaign runs, and where that was said. */
export interface ChosenCommands {
  /** Where the commands run. */
  readonly folder: string;
  /** In words: "--command", "sidecanary.json", ".chunk/config.json", "package.json". */
  readonly source: string;
  readonly builds: readonly ProjectCommand[];
  readonly commands: readonly ProjectCommand[];
}

/** What the command line says of commands. */
export interface CommandFlags {
  readonly command: readonly ProjectCommand[];
  readonly build: readonly ProjectCommand[];
  /** Only this configured command. */
  readonly name?: string | undefined;
}

/**
 * Chooses the commands: of the flags, else of sidecanary.json, else of .chunk/config.json, else the
 * package's test script. Builds come from the flags, else from sidecanary.json. Commands run in the
 * folder of the file they came from; those of flags in the folder of sidecanary.json, where there is
 * one, else in `cwd`.
 *
 * @throws SidecanaryError `usage` where there is no command, `config-invalid`
 */
export function chooseCommands(
  cwd: string,
  flags: CommandFlags,
  config: LoadedConfig | undefined,
): ChosenCommands {
  const found = find(cwd, flags, config);
  const ofConfig = (config?.config.builds ?? []).map(fromConfig);
  const builds = flags.build.length > 0 ? flags.build : ofConfig;
  if (flags.build.length === 0 && ofConfig.length > 0 && found.folder !== config?.folder) {
    throw new SidecanaryError(
      "config-invalid",
      `${config?.path}: builds need commands beside them: those of ${found.source} run elsewhere`,
      { path: config?.path ?? "", field: "builds" },
    );
  }
  const chosen = { ...found, builds: withNames(builds), commands: withNames(found.commands) };
  refuseSameName([...chosen.builds, ...chosen.commands]);
  return chosen;
}

type Found = Omit<ChosenCommands, "builds">;

function find(cwd: string, flags: CommandFlags, config: LoadedConfig | undefined): Found {
  const { name } = flags;
  if (flags.command.length > 0) {
    if (name !== undefined) {
      throw new SidecanaryError(
        "usage",
        "Give --name or --command, not both: --name chooses among the configured commands",
        { option: "--name" },
      );
    }
    return { folder: config?.folder ?? cwd, source: "--command", commands: flags.command };
  }
  const at = (path: string): string => relative(cwd, path) || path;
  if (config?.config.commands !== undefined) {
    const commands = named(config.config.commands.map(fromConfig), name, at(config.path));
    return { folder: config.folder, source: at(config.path), commands };
  }
  const chunk = chunkCommands(cwd, name);
  if (chunk !== undefined) {
    if (chunk.commands.length > 0) {
      return { folder: chunk.folder, commands: chunk.commands, source: at(chunk.path) };
    }
    if (name !== undefined) throw unknownName(name, chunk.local, at(chunk.path));
    if (chunk.local.length > 0) {
      throw new SidecanaryError(
        "usage",
        `${at(chunk.path)} marks no command with "remote": true: mark one, or give ` +
          `--name ${chunk.local[0]}, or --command 'CMD'`,
        {},
      );
    }
  }
  const npm = npmTest(cwd);
  if (npm?.command !== undefined) {
    const commands = named([npm.command], name, at(npm.path));
    return { folder: npm.folder, source: at(npm.path), commands };
  }
  const why = npm === undefined
    ? "there is no sidecanary.json, .chunk/config.json or package.json"
    : `${at(npm.path)} has no test script`;
  throw new SidecanaryError(
    "usage",
    `No command to run: ${why}. Give one with --command 'npm test', or write sidecanary.json: ` +
      '{"commands": ["npm test"]}',
    {},
  );
}

function named(
  commands: readonly ProjectCommand[],
  name: string | undefined,
  source: string,
): readonly ProjectCommand[] {
  if (name === undefined) return commands;
  const found = commands.filter((command) => command.name === name);
  if (found.length === 0) throw unknownName(name, commands.map((command) => command.name), source);
  return found;
}

function unknownName(name: string, known: readonly string[], source: string): SidecanaryError {
  const list = known.length === 0 ? "none" : known.map((each) => `"${each}"`).join(", ");
  return new SidecanaryError(
    "usage",
    `${source} has no command "${name}": it has ${list}`,
    { option: "--name" },
  );
}

function fromConfig(command: ConfigCommand): ProjectCommand {
  if (typeof command === "string") return { name: nameOf(command), run: command };
  const { name, run, timeout } = command;
  return {
    name: name ?? nameOf(run),
    run,
    ...(timeout === undefined ? {} : { timeoutMs: parseDuration(timeout) }),
  };
}

/** A command without a name that is there twice gets a number. */
function withNames(commands: readonly ProjectCommand[]): ProjectCommand[] {
  const seen = new Map<string, number>();
  return commands.map((command) => {
    if (command.name !== nameOf(command.run)) return command;
    const count = (seen.get(command.name) ?? 0) + 1;
    seen.set(command.name, count);
    return count === 1 ? command : { ...command, name: `${command.name} #${count}` };
  });
}

function refuseSameName(commands: readonly ProjectCommand[]): void {
  const seen = new Set<string>();
  for (const { name } of commands) {
    if (seen.has(name)) {
      throw new SidecanaryError(
        "usage",
        `Two commands have the name "${name}": results could not be told apart`,
        { option: "--command" },
      );
    }
    seen.add(name);
  }
}
