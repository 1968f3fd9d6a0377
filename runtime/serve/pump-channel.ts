import type { Duplex, Readable, Writable } from "node:stream";
import type { ServerChannel } from "ssh2";
import type { Started } from "./instance-cell.ts";

/** What lies below a channel. */
export interface Carrier {
  readonly stream: Duplex;
  /** How many bytes wait to be sent below `stream`. */
  readonly backlog: () => number;
}

/** A client that opens its window wide and reads nothing is waited for from here on, in bytes. */
const HIGH_WATER = 4 * 2 ** 20;
/** The exit status of a command that could not be started. */
export const NOT_STARTED = 126;

/**
 * Joins a channel and a process: bytes both ways with backpressure, the exit status at the end. A
 * channel that is gone closes the process's pipes and leaves the process alone, as OpenSSH does.
 */
export function pumpChannel(
  channel: ServerChannel,
  { child, begun }: Started,
  carrier: Carrier,
): void {
  const { stdin, stdout, stderr } = child;
  // A process that could not be started may have none.
  if (!stdin || !stdout || !stderr) return;
  let gone = false;
  const leave = () => {
    if (gone) return;
    gone = true;
    for (const pipe of [stdin, stdout, stderr]) pipe.destroy();
  };
  channel.once("close", leave);
  carrier.stream.once("close", leave);
  channel.on("error", leave);
  stdin.on("error", () => {});
  stdout.on("error", () => {});
  stderr.on("error", () => {});
  channel.pipe(stdin);
  stdin.once("close", () => {
    // Nobody reads it any more, and the client must still be able to send and to close.
    channel.unpipe(stdin);
    channel.resume();
  });
  pumpOut(stdout, channel, carrier);
  pumpOut(stderr, channel.stderr, carrier);
  child.once("close", (code, signal) => {
    carrier.stream.off("close", leave);
    void begun.then((ran) => {
      if (gone) return;
      // As a shell does for what it cannot start; another code would pass for the command's own.
      if (!ran) channel.exit(NOT_STARTED);
      else if (code !== null) channel.exit(code);
      else channel.exit((signal ?? "SIGKILL").replace(/^SIG/, ""), false, "");
      channel.end();
    });
  });
}

function pumpOut(from: Readable, to: Writable, { stream, backlog }: Carrier): void {
  from.on("data", (chunk: Uint8Array) => {
    const full = !to.write(chunk);
    const behind = stream.writableLength + backlog() > HIGH_WATER;
    if (!full && !behind) return;
    from.pause();
    const next = () => {
      if (stream.writableLength + backlog() > HIGH_WATER) stream.once("drain", next);
      else from.resume();
    };
    if (full) to.once("drain", next);
    else stream.once("drain", next);
  });
}
