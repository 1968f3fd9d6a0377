import type { Command } from "commander";
import type { SHELLS } from "../program/completion-command.ts";
import { bashScript } from "./bash.ts";
import { commandTree } from "./command-tree.ts";
import { fishScript } from "./fish.ts";
import { zshScript } from "./zsh.ts";

/** A script that completes the program's commands, options and values in a shell. */
export function completionScript(program: Command, shell: (typeof SHELLS)[number]): string {
  const tree = commandTree(program);
  switch (shell) {
    case "bash":
      return bashScript(tree);
    case "zsh":
      return zshScript(tree);
    case "fish":
      return fishScript(tree);
  }
}
