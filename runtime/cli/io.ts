import process from "node:process";
import type { Readable, Writable } from "node:stream";

/** A stream that people may be looking at. */
export interface OutputStream extends Writable {
  readonly isTTY?: boolean;
  readonly columns?: number;
  readonly rows?: number;
}

/** A stream that a person may be typing into. */
export interface InputStream extends Readable {
  readonly isTTY?: boolean;
  /** Whether each key comes at once, Ctrl-C included; only a terminal has it. */
  setRawMode?(mode: boolean): unknown;
}

/** What a command has of the process it runs in. */
export interface CliIo {
  readonly stdin: InputStream;
  readonly stdout: OutputStream;
  readonly stderr: OutputStream;
  readonly env: Readonly<Record<string, string | undefined>>;
  readonly cwd: string;
}

/** The streams, the environment and the folder of this process. */
export function processIo(): CliIo {
  const { stdin, stdout, stderr, env } = process;
  return { stdin, stdout, stderr, env, cwd: process.cwd() };
}

/** Writes and waits until the text has left this process, or cannot. */
export function write(stream: Writable, text: string): Promise<void> {
  // What could not be written is told to the stream's error listener, see {@link watchPipes}.
  return new Promise((resolve) => {
    try {
      stream.write(text, () => resolve());
    } catch (error) {
      // What Deno's streams of files do in place of the event; they never write again.
      stream.emit("error", error);
      resolve();
    }
  });
}

/** Whether a stream failed only because nobody reads it any more. */
export function isUnread(error: NodeJS.ErrnoException): boolean {
  const { code } = error;
  return code === "EPIPE" || code === "EIO" || code === "ERR_STREAM_DESTROYED";
}

/**
 * Keeps a stream that cannot be written to any more from ending this process with a stack trace.
 *
 * @param onBroken called with the first error of standard output
 */
export function watchPipes(
  io: Pick<CliIo, "stdout" | "stderr">,
  onBroken: (error: NodeJS.ErrnoException) => void,
): void {
  let told = false;
  io.stdout.on("error", (error: NodeJS.ErrnoException) => {
    if (told) return;
    told = true;
    onBroken(error);
  });
  // There is no other place to tell it.
  io.stderr.on("error", () => {});
}
