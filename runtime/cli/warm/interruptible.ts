import process from "node:process";
import { EXIT, exitCodeOfSignal } from "../exit-code.ts";
import { Interrupts } from "../interrupts.ts";
import { type CliIo, isUnread, watchPipes, write } from "../io.ts";
import { errorText } from "../print-error.ts";

/**
 * Does work that the first signal cancels and the second one ends at once. A standard output that
 * cannot be written to cancels it, too: what runs on a sidecar gets no SIGPIPE.
 *
 * @returns the exit code; the signal's where it was cancelled, SIGPIPE's where nobody reads, 1 where
 *   standard output cannot be written to for another reason
 */
export async function interruptible(
  io: Pick<CliIo, "stdout" | "stderr">,
  work: (signal: AbortSignal) => Promise<number>,
): Promise<number> {
  const interrupts = new Interrupts({
    onFirst: (name) => {
      void write(io.stderr, `sidecanary: ${name}: cleaning up; once more stops at once\n`);
    },
    onSecond: (name) => process.exit(exitCodeOfSignal(name)),
  });
  let broken: NodeJS.ErrnoException | undefined;
  watchPipes(io, (error) => {
    broken = error;
    interrupts.cancel("a standard output that cannot be written to");
  });
  const cancelledCode = (): number | null => {
    if (interrupts.received !== null) return exitCodeOfSignal(interrupts.received);
    if (broken === undefined) return null;
    // What else can be wrong with it is told by who runs the process.
    return isUnread(broken) ? exitCodeOfSignal("SIGPIPE") : EXIT.usage;
  };
  try {
    const code = await work(interrupts.signal);
    return cancelledCode() ?? code;
  } catch (error) {
    const code = cancelledCode();
    if (code === null) throw error;
    // What was going on was cancelled; what could not be cleaned up has to be told.
    const cancelled = error === interrupts.signal.reason ||
      (error as Error | null)?.name === "AbortError";
    if (!cancelled) await write(io.stderr, errorText(error, false));
    return code;
  } finally {
    interrupts.dispose();
  }
}
