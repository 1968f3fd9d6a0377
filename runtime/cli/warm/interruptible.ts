import process from "node:process";
import { exitCodeOfSignal } from "../exit-code.ts";
import { Interrupts } from "../interrupts.ts";
import { type CliIo, write } from "../io.ts";
import { errorText } from "../print-error.ts";

/**
 * Does work that the first signal cancels and the second one ends at once.
 *
 * @returns the exit code; the signal's where it was cancelled
 */
export async function interruptible(
  io: Pick<CliIo, "stderr">,
  work: (signal: AbortSignal) => Promise<number>,
): Promise<number> {
  const interrupts = new Interrupts({
    onFirst: (name) => {
      void write(io.stderr, `sidecanary: ${name}: cleaning up; once more stops at once\n`);
    },
    onSecond: (name) => process.exit(exitCodeOfSignal(name)),
  });
  try {
    const code = await work(interrupts.signal);
    return interrupts.received === null ? code : exitCodeOfSignal(interrupts.received);
  } catch (error) {
    if (interrupts.received === null) throw error;
    // What was going on was cancelled; what could not be cleaned up has to be told.
    const cancelled = error === interrupts.signal.reason ||
      (error as Error | null)?.name === "AbortError";
    if (!cancelled) await write(io.stderr, errorText(error, false));
    return exitCodeOfSignal(interrupts.received);
  } finally {
    interrupts.dispose();
  }
}
