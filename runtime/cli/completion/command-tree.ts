import type { Argument, Command, Option } from "commander";
import { KILL_PRESETS } from "../options/parse-kill-exit-codes.ts";
import { SIDECARS } from "../options/parse-sidecar.ts";

/** Values that are worth offering among others. */
const SUGGESTED: Readonly<Record<string, readonly string[]>> = {
  "--kill-exit-codes": KILL_PRESETS,
  "--jobs": ["auto", "50%"],
  "--sidecar": SIDECARS,
};

/** What a value is completed with: these words, paths, or nothing. */
export interface Value {
  readonly choices: readonly string[];
  readonly path: "file" | "folder" | null;
}

/** An option as a completion script needs it. */
export interface OptionNode {
  /** `--jobs`. */
  readonly long: string;
  /** `-j`. */
  readonly short: string | undefined;
  readonly description: string;
  /** `undefined` for a switch. */
  readonly value: Value | undefined;
  /** Whether it may be given again. */
  readonly repeats: boolean;
}

/** A command as a completion script needs it. */
export interface CommandNode {
  readonly name: string;
  readonly description: string;
  readonly options: readonly OptionNode[];
  /** What its argument is completed with, or `undefined` without one. */
  readonly argument: Value | undefined;
  /** The commands below it. */
  readonly commands: readonly CommandNode[];
}

/** What a commander program accepts. */
export function commandTree(program: Command): CommandNode {
  return nodeOf(program);
}

/** A command with the words that lead to it: `["sidecar", "exec"]`. */
export interface CommandPath {
  readonly words: readonly string[];
  readonly node: CommandNode;
}

/** Every command below `node`, at any depth. */
export function commandPaths(
  { commands }: CommandNode,
  before: readonly string[] = [],
): CommandPath[] {
  return commands.flatMap((node) => {
    const words = [...before, node.name];
    return [{ words, node }, ...commandPaths(node, words)];
  });
}

function nodeOf(command: Command): CommandNode {
  const [argument] = command.registeredArguments;
  const help = command.createHelp();
  return {
    name: command.name(),
    description: command.summary() || command.description(),
    options: help.visibleOptions(command).map(optionOf),
    argument: argument === undefined ? undefined : argumentOf(argument),
    commands: command.commands.map(nodeOf),
  };
}

function argumentOf(argument: Argument): Value {
  const { argChoices } = argument;
  return argChoices === undefined
    // Names are ours to know, and paths the shell's.
    ? { choices: [], path: argument.name() === "name" ? null : "file" }
    : { choices: argChoices, path: null };
}

function optionOf(option: Option): OptionNode {
  const { long, short, description, argChoices, flags } = option;
  const path = /<file>/.test(flags) ? "file" : /<folder>/.test(flags) ? "folder" : null;
  return {
    long: long ?? "",
    short: short ?? undefined,
    description,
    // An optional value comes with "=" only.
    value: option.required
      ? { choices: argChoices ?? SUGGESTED[long ?? ""] ?? [], path }
      : undefined,
    repeats: Array.isArray(option.defaultValue),
  };
}
