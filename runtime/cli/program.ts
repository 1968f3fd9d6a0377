import { Command } from "commander";
import { type CliIo, write } from "./io.ts";
import { addCompletion, type CompletionAction } from "./program/completion-command.ts";
import { errorLine } from "./program/error-line.ts";
import { addSidecar, type SidecarActions } from "./program/sidecar-command.ts";
import { addValidate, type ValidateAction } from "./program/validate-command.ts";
import { addVariants, EXAMPLES, type VariantsAction } from "./program/variants-command.ts";
import { VERSION } from "./version.ts";

/** What is done for each command. */
export interface Actions {
  readonly variants: VariantsAction;
  readonly validate: ValidateAction;
  readonly sidecar: SidecarActions;
  readonly completion: CompletionAction;
}

/** The tree of commands and options. Parsing rejects with a CommanderError where it is misused. */
export function createProgram(io: Pick<CliIo, "stdout" | "stderr">, actions: Actions): Command {
  const program = new Command("sidecanary");
  program
    .description("Prove changes on sidecars; ship versions behind canaries.")
    .version(VERSION, "-V, --version", "print the version")
    .helpOption("-h, --help", "print this help")
    .showSuggestionAfterError()
    .exitOverride()
    // What follows the command of `sidecar exec` is that command's own.
    .enablePositionalOptions()
    // A value that may be left out is never the next argument.
    .configureHelp({ optionTerm: ({ flags }) => flags.replace(" [", "[=") })
    .configureOutput({
      writeOut: (text) => void write(io.stdout, text),
      writeErr: (text) => void io.stderr.write(text),
      outputError: (text, write) => write(errorLine(text)),
    });
  addVariants(program, actions.variants);
  addValidate(program, actions.validate);
  addSidecar(program, actions.sidecar);
  addCompletion(program, actions.completion);
  program.addHelpText("after", EXAMPLES);
  return program;
}
