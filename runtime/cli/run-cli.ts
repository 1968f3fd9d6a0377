import { CommanderError } from "commander";
import { EXIT, exitCodeOfError } from "./exit-code.ts";
import { type CliIo, write } from "./io.ts";
import { errorText } from "./print-error.ts";
import { createProgram } from "./program.ts";

/**
 * Runs a command line and answers its exit code. Never rejects: what goes wrong is printed.
 *
 * @param argv without the runtime and the script
 */
export async function runCli(argv: readonly string[], io: CliIo): Promise<number> {
  let code: number = EXIT.ok;
  const program = createProgram(io, {
    variants: async (source, options) => {
      const { runVariants } = await import("./run-variants.ts");
      code = await runVariants(source, options, io);
    },
    completion: async (shell) => {
      const { completionScript } = await import("./completion/completion-script.ts");
      await write(io.stdout, completionScript(program, shell));
    },
  });
  try {
    await program.parseAsync(withCounts(argv), { from: "user" });
    return code;
  } catch (error) {
    if (error instanceof CommanderError) return error.exitCode === 0 ? EXIT.ok : EXIT.usage;
    await write(io.stderr, errorText(error, argv.includes("--verbose")));
    return exitCodeOfError(error);
  }
}

/** An option with an optional value would take the next argument for it. */
function withCounts(argv: readonly string[]): string[] {
  const end = argv.indexOf("--");
  return argv.map((arg, index) =>
    arg === "--fail-fast" && (end === -1 || index < end) ? "--fail-fast=1" : arg
  );
}
