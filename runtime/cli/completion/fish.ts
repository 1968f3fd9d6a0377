import type { CommandNode, OptionNode, Value } from "./command-tree.ts";

/** For fish 3 and newer. */
export function fishScript(tree: CommandNode): string {
  const { name, commands } = tree;
  const names = commands.map((each) => each.name).join(" ");
  const none = `not __fish_seen_subcommand_from ${names}`;
  const lines = [
    `# fish completion of ${name}: ${name} completion fish | source`,
    `complete -c ${name} -f`,
    ...tree.options.map((each) => option(name, none, each)),
    ...commands.flatMap((node) => [
      `complete -c ${name} -n ${quote(none)} -a ${node.name} -d ${quote(node.description)}`,
      ...command(name, node),
    ]),
  ];
  return `${lines.join("\n")}\n`;
}

function command(name: string, node: CommandNode, seen: string = ""): string[] {
  const when = `${seen}__fish_seen_subcommand_from ${node.name}`;
  const lines = node.options.map((each) => option(name, when, each));
  if (node.commands.length > 0) {
    const names = node.commands.map((each) => each.name).join(" ");
    const none = `${when}; and not __fish_seen_subcommand_from ${names}`;
    return [
      ...node.options.map((each) => option(name, none, each)),
      ...node.commands.flatMap((each) => [
        `complete -c ${name} -n ${quote(none)} -a ${each.name} -d ${quote(each.description)}`,
        ...command(name, each, `${when}; and `),
      ]),
    ];
  }
  if (node.argument === undefined) return lines;
  return [...lines, `complete -c ${name} -n ${quote(when)} ${values(node.argument)}`];
}

function option(name: string, when: string, { long, short, description, value }: OptionNode) {
  const flags = [`-l ${long.slice(2)}`, ...short === undefined ? [] : [`-s ${short.slice(1)}`]];
  const tail = value === undefined ? "" : ` -r ${values(value)}`;
  return `complete -c ${name} -n ${quote(when)} ${flags.join(" ")} -d ${quote(description)}${tail}`;
}

function values({ choices, path }: Value): string {
  if (path === "file") return "-F";
  if (path === "folder") return "-f -a '(__fish_complete_directories)'";
  return choices.length === 0 ? "-f" : `-f -a ${quote(choices.join(" "))}`;
}

function quote(text: string): string {
  return `'${text.replace(/[\\']/g, (char) => `\\${char}`)}'`;
}
