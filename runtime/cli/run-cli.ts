import { CommanderError } from "commander";
import { EXIT, exitCodeOfError } from "./exit-code.ts";
import { type CliIo, write } from "./io.ts";
import { errorText } from "./print-error.ts";
import { createProgram } from "./program.ts";
import type { SidecarFlags } from "./program/sidecar-command.ts";
import type { SidecarVerb } from "./run-sidecar.ts";

/**
 * Runs a command line and answers its exit code. Never rejects: what goes wrong is printed.
 *
 * @param argv without the runtime and the script
 */
export async function runCli(argv: readonly string[], io: CliIo): Promise<number> {
  let code: number = EXIT.ok;
  const sidecar = async (verb: SidecarVerb, flags: SidecarFlags): Promise<void> => {
    const { runSidecar } = await import("./run-sidecar.ts");
    code = await runSidecar(verb, flags, io);
  };
  const program = createProgram(io, {
    variants: async (source, options) => {
      const { runVariants } = await import("./run-variants.ts");
      code = await runVariants(source, options, io);
    },
    validate: async (name, flags) => {
      const { runValidate } = await import("./run-validate.ts");
      code = await runValidate(name, flags, io);
    },
    sidecar: {
      create: (flags) => sidecar({ verb: "create" }, flags),
      list: (flags) => sidecar({ verb: "list" }, flags),
      exec: (words, flags) => sidecar({ verb: "exec", words }, flags),
      ssh: (words, flags) => sidecar({ verb: "ssh", words }, flags),
      sync: (flags) => sidecar({ verb: "sync" }, flags),
      destroy: (words, flags) => sidecar({ verb: "destroy", words }, flags),
      prune: (flags) => sidecar({ verb: "prune" }, flags),
      serve: async (flags) => {
        const { runServe } = await import("./run-serve.ts");
        code = await runServe(flags, io);
      },
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
  if (argv[0] !== "variants") return [...argv];
  const end = argv.indexOf("--");
  return argv.map((arg, index) =>
    arg === "--fail-fast" && (end === -1 || index < end) ? "--fail-fast=1" : arg
  );
}
