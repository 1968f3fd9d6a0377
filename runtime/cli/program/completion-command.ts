import { Argument, type Command } from "commander";

/** The shells that have a completion script. */
export const SHELLS = ["bash", "zsh", "fish"] as const;

/** What is done for `sidecanary completion`. */
export type CompletionAction = (shell: (typeof SHELLS)[number]) => Promise<void>;

/** Adds `sidecanary completion`. */
export function addCompletion(program: Command, action: CompletionAction): void {
  program.command("completion").exitOverride()
    .summary("print a completion script")
    .description('Prints a script that completes sidecanary: eval "$(sidecanary completion bash)"')
    .addArgument(new Argument("<shell>", "the shell").choices(SHELLS))
    .action((shell: (typeof SHELLS)[number]) => action(shell));
}
