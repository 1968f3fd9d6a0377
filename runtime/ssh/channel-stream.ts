import { Duplex } from "node:stream";
import type { ClientChannel } from "ssh2";

/**
 * A channel as a stream for another protocol to run through. Unlike the channel itself it may be
 * written to, ended and destroyed at any time, also when the connection below has gone.
 */
export function channelStream(channel: ClientChannel): Duplex {
  let open = true;
  const stream = new Duplex({
    read: () => {
      if (open) channel.resume();
    },
    write: (chunk, _encoding, done) => {
      if (open) channel.write(chunk, () => done());
      else done();
    },
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
