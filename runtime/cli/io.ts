import process from "node:process";
import type { Readable, Writable } from "node:stream";

/** A stream that people may be looking at. */
export interface OutputStream extends Writable {
  readonly isTTY?: boolean;
  readonly columns?: number;
}

/** What a command has of the process it runs in. */
export interface CliIo {
  readonly stdin: Readable;
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
  return new Promise((resolve) => stream.write(text, () => resolve()));
}

/**
 * Keeps a reader that has gone away from ending this process with a stack trace.
 *
 * @param onClosed called once when nobody reads standard output any more
 */
export function watchPipes(io: CliIo, onClosed: () => void): void {
  const gone = (error: NodeJS.ErrnoException): void => {
    if (error.code !== "EPIPE" && error.code !== "EIO" && error.code !== "ERR_STREAM_DESTROYED") {
      throw error;
    }
  };
  let told = false;
  io.stdout.on("error", (error) => {
    gone(error);
    if (told) return;
    told = true;
    onClosed();
  });
  io.stderr.on("error", gone);
}
