import process from "node:process";
import { EXIT } from "./exit-code.ts";
import { isUnread, processIo, watchPipes, write } from "./io.ts";
import { errorText } from "./print-error.ts";
import { runCli } from "./run-cli.ts";

/** Runs the command line of this process and ends it with the exit code. */
export async function runProcess(): Promise<void> {
  const io = processIo();
  const argv = process.argv.slice(2);
  const crash = (error: unknown): void => {
    process.stderr.write(
      errorText(error, argv.includes("--verbose")),
      () => process.exit(EXIT.internal),
    );
  };
  process.on("uncaughtException", crash);
  process.on("unhandledRejection", crash);
  let unwritten: string | undefined;
  watchPipes(io, (error) => {
    if (!isUnread(error)) unwritten = error.message;
  });
  let code = await runCli(argv, io);
  if (unwritten === undefined) await write(io.stdout, "");
  if (unwritten !== undefined) {
    await write(
      io.stderr,
      `sidecanary: Cannot write the result to standard output: ${unwritten}\n`,
    );
    if (code < 128 && code !== EXIT.internal) code = EXIT.usage;
  }
  await write(io.stderr, "");
  // Not left to the runtime: a handle that somebody forgot would keep the process alive.
  process.exit(code);
}
