import process from "node:process";
import { exitCodeOfSignal } from "../exit-code.ts";
import { Interrupts } from "../interrupts.ts";
import { type CliIo, write } from "../io.ts";

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
    // Whatever was going on was cancelled.
    if (interrupts.received !== null) return exitCodeOfSignal(interrupts.received);
    throw error;
  } finally {
    interrupts.dispose();
  }
}
