import type { CommandNode, OptionNode, Value } from "./command-tree.ts";

/** For zsh 5 with compinit loaded. */
export function zshScript(tree: CommandNode): string {
  const { name } = tree;
  return `#compdef ${name}
# zsh completion of ${name}: eval "$(${name} completion zsh)"
_${name}() {
  local curcontext="$curcontext" state line
  typeset -A opt_args
${choose(tree, "  ")}
}
compdef _${name} ${name}
`;
}

/** The options of a command, then the name of one below it, then whatever that one takes. */
function choose(node: CommandNode, indent: string): string {
  const { options, commands } = node;
  const text = `_arguments -C ${options.map((each) => `\\\n    ${spec(each)}`).join(" ")} \\
    '1: :->command' \\
    '*:: :->rest'
case $state in
  command)
    local -a commands
    commands=(
${commands.map((each) => `      ${quote(`${each.name}:${each.description}`)}`).join("\n")}
    )
    _describe command commands
    ;;
  rest)
    case $line[1] in
${commands.map(commandCase).join("\n")}
    esac
    ;;
esac`;
  return text.replace(/^(?!$)/gm, indent);
}

function commandCase(node: CommandNode): string {
  if (node.commands.length > 0) {
    return `      ${node.name})
${choose(node, "        ")}
        ;;`;
  }
  const argument = node.argument === undefined ? [] : [quote(`1: :${action(node.argument)}`)];
  const specs = [...node.options.map(spec), ...argument];
  return `      ${node.name})
        _arguments ${specs.map((each) => `\\\n          ${each}`).join(" ")}
        ;;`;
}

function spec({ long, short, description, value, repeats }: OptionNode): string {
  const text = description.replace(/[[\]:\\]/g, (char) => `\\${char}`);
  const tail = value === undefined ? "" : `: :${action(value)}`;
  const names = short === undefined ? [long] : [short, long];
  const many = repeats ? "*" : "";
  return names.map((each) =>
    quote(`${repeats ? many : `(${names.join(" ")})`}${each}${glue(each, value)}[${text}]${tail}`)
  ).join(" ");
}

/** `--jobs=4` and `--jobs 4`, `-j4` and `-j 4`. */
function glue(flag: string, value: Value | undefined): string {
  return value === undefined ? "" : flag.startsWith("--") ? "=" : "+";
}

function action({ choices, path }: Value): string {
  if (path === "file") return "_files";
  if (path === "folder") return "_files -/";
  return choices.length === 0
    ? " "
    : `(${choices.map((each) => each.replace(":", "\\:")).join(" ")})`;
}

function quote(text: string): string {
  return `'${text.replaceAll("'", `'\\''`)}'`;
}
