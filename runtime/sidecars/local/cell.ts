import type { ChildProcess } from "node:child_process";

/**
 * A set of processes that ends as one. It lives on a pipe from this process: when that closes, for
 * whatever reason, everything in the cell is killed.
 */
export interface Cell {
  /** What to put before an absolute path to reach, from outside, what the cell's processes see. */
  readonly view: string;
  /** Environment that every process in the cell has to carry. */
  readonly env: Readonly<Record<string, string>>;
  /** The command line that runs `argv` in the cell. */
  enter(argv: readonly string[]): readonly string[];
  /** Tells the cell of a command that was started with {@link Cell.enter}. */
  adopt(child: ChildProcess): void;
  /** Whether the cell lives. */
  alive(): boolean;
  /**
   * Kills everything in the cell; resolves when nothing of it runs any more. Idempotent.
   *
   * @throws SidecanaryError `sidecar-failed` where something could not be killed
   */
  end(): Promise<void>;
}
