import { type CommandNode, type CommandPath, commandPaths, type Value } from "./command-tree.ts";

/** For bash 3.2 and newer, without the bash-completion package. */
export function bashScript(tree: CommandNode): string {
  const { name } = tree;
  const paths = commandPaths(tree);
  return `# bash completion of ${name}: eval "$(${name} completion bash)"
_${name}() {
  local at=$COMP_CWORD cur prev command="" word i
  cur=\${COMP_WORDS[at]}
  # ":" may be a word of its own, and so may "=".
  while [ "$at" -gt 1 ]; do
    case "$cur" in :*) ;; *) case "\${COMP_WORDS[at-1]}" in :) ;; *) break ;; esac ;; esac
    at=$((at - 1))
    cur=\${COMP_WORDS[at]}$cur
  done
  prev=\${COMP_WORDS[at-1]}
  if [ "$cur" = "=" ]; then cur=""; elif [ "$prev" = "=" ]; then prev=\${COMP_WORDS[at-2]}; fi
  for ((i = 1; i < at; i++)); do
    word=\${COMP_WORDS[i]}
    case "$command $word" in ${paths.map(({ words }) => `" ${words.join(" ")}"`).join("|")})
      command="$command $word" ;;
    esac
  done
  COMPREPLY=()
  case "$command" in
${paths.map(commandCase).join("\n")}
    *)
      COMPREPLY=($(compgen -W "${[...names(tree), ...longs(tree)].join(" ")}" -- "$cur"))
      ;;
  esac
  case "$COMP_WORDBREAKS" in
    *:*) local lead=\${cur%"\${cur##*:}"}; COMPREPLY=("\${COMPREPLY[@]#"$lead"}") ;;
  esac
}
complete -o filenames -F _${name} ${name}
`;
}

function commandCase({ words, node }: CommandPath): string {
  const values = node.options.flatMap(({ long, short, value }) =>
    value === undefined ? [] : [
      `        ${short === undefined ? long : `${long}|${short}`}) ${reply(value)} ;;`,
    ]
  );
  const rest = node.commands.length > 0
    ? reply({ choices: names(node), path: null })
    : node.argument === undefined
    ? ":"
    : reply(node.argument);
  return `    " ${words.join(" ")}")
      case "$prev" in
${values.join("\n")}${values.length === 0 ? "" : "\n"}        *)
          case "$cur" in
            -*) COMPREPLY=($(compgen -W "${longs(node).join(" ")}" -- "$cur")) ;;
            *) ${rest} ;;
          esac
          ;;
      esac
      ;;`;
}

function names({ commands }: CommandNode): string[] {
  return commands.map(({ name }) => name);
}

function longs({ options }: CommandNode): string[] {
  return options.map(({ long }) => long);
}

function reply({ choices, path }: Value): string {
  const IFS = "local IFS=$'\\n'";
  if (path === "file") return `${IFS}; COMPREPLY=($(compgen -f -- "$cur"))`;
  if (path === "folder") return `${IFS}; COMPREPLY=($(compgen -d -- "$cur"))`;
  return choices.length === 0 ? ":" : `COMPREPLY=($(compgen -W "${choices.join(" ")}" -- "$cur"))`;
}
