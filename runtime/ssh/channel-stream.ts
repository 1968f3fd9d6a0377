import { Buffer } from "node:buffer";
import { Duplex } from "node:stream";
import type { ClientChannel } from "ssh2";

/**
 * A channel as a stream for another protocol to run through. Unlike the channel itself it may be
 * written to, ended and destroyed at any time, also when the connection below has gone.
 */
export function channelStream(channel: ClientChannel): Duplex {
  let open = true;
  const send = (bytes: Buffer, done: () => void): void => {
    if (open) channel.write(bytes, () => done());
    else done();
  };
  const stream = new Duplex({
    read: () => {
      if (open) channel.resume();
    },
    // Never at once: ssh2's chacha20 has state that all connections share while it encrypts, so that
    // one packet must not be written in the midst of another that is to go through it.
    write: (chunk: Buffer, _encoding, done) => queueMicrotask(() => send(chunk, done)),
    writev: (chunks, done) =>
      queueMicrotask(() => send(Buffer.concat(chunks.map((each) => each.chunk as Buffer)), done)),
    final: (done) => {
      if (open) channel.end();
      done();
    },
    destroy: (error, done) => {
      if (open) channel.close();
      // What still comes is dropped, or the channel would never close.
      channel.resume();
      done(error);
    },
  });
  channel.on("error", () => {});
  channel.on("data", (chunk: Uint8Array) => {
    if (!stream.destroyed && !stream.push(chunk)) channel.pause();
  });
  channel.once("end", () => {
    if (!stream.destroyed) stream.push(null);
  });
  channel.once("close", () => {
    open = false;
    if (stream.readableEnded) stream.destroy();
    else stream.once("end", () => stream.destroy());
  });
  return stream;
}
