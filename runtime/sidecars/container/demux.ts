import { Buffer } from "node:buffer";

/** Where the two streams of a command go. */
export interface DemuxSinks {
  readonly onStdout: (chunk: Uint8Array) => void;
  readonly onStderr: (chunk: Uint8Array) => void;
}

/** The bytes are no frames. */
export class FrameError extends Error {
  override readonly name = "FrameError";
}

const HEADER = 8;

/**
 * Takes apart the stream of a command without a terminal: frames of a header (the stream's number, three
 * zeros, the length as 32 bits, big-endian) and that many bytes, as the Docker Engine API has them
 * under "Attach to a container, stream format". Bytes are handed on as they come, however the stream
 * is cut into chunks.
 */
export class Demux {
  readonly #sinks: DemuxSinks;
  readonly #header = Buffer.alloc(HEADER);
  #have = 0;
  #left = 0;

  constructor(sinks: DemuxSinks) {
    this.#sinks = sinks;
  }

  /** Whether the stream may end here: between two frames. */
  get whole(): boolean {
    return this.#have === 0;
  }

  /** @throws FrameError where the bytes are no frame; the stream cannot be read any further */
  push(chunk: Uint8Array): void {
    let at = 0;
    while (at < chunk.length) {
      if (this.#have < HEADER) {
        const part = chunk.subarray(at, at + HEADER - this.#have);
        this.#header.set(part, this.#have);
        this.#have += part.length;
        at += part.length;
        if (this.#have < HEADER) return;
        this.#left = this.#header.readUInt32BE(4);
        const stream = this.#header[0];
        if (stream !== 1 && stream !== 2) {
          throw new FrameError(`a frame of stream ${stream}, which is neither stdout nor stderr`);
        }
      } else {
        const part = chunk.subarray(at, at + this.#left);
        this.#left -= part.length;
        at += part.length;
        if (this.#header[0] === 1) this.#sinks.onStdout(part);
        else this.#sinks.onStderr(part);
      }
      if (this.#left === 0) this.#have = 0;
    }
  }
}
