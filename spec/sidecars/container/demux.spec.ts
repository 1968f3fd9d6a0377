import { Buffer } from "node:buffer";
import fc from "fast-check";
import * as assert from "uvu/assert";
import { Demux, FrameError } from "../../../runtime/sidecars/container/demux.ts";
import { suite } from "../../harness.ts";
import { check } from "../../kit/check.ts";

const test = suite("demux");

function frame(stream: number, bytes: Uint8Array): Buffer {
  const header = Buffer.alloc(8);
  header[0] = stream;
  header.writeUInt32BE(bytes.length, 4);
  return Buffer.concat([header, bytes]);
}

function collecting() {
  const streams: [Uint8Array[], Uint8Array[]] = [[], []];
  const demux = new Demux({
    onStdout: (chunk) => streams[0].push(Buffer.from(chunk)),
    onStderr: (chunk) => streams[1].push(Buffer.from(chunk)),
  });
  return { demux, streams: () => streams.map((chunks) => Buffer.concat(chunks).toString("hex")) };
}

test("Demux gives each stream its bytes, however the frames are cut into chunks", async () => {
  await check(fc.property(
    fc.array(fc.tuple(fc.constantFrom(1, 2), fc.uint8Array({ maxLength: 40 }))),
    fc.array(fc.integer({ min: 1, max: 30 }), { minLength: 1 }),
    (frames, cuts) => {
      const { demux, streams } = collecting();
      const wire = Buffer.concat(frames.map(([stream, bytes]) => frame(stream, bytes)));
      for (let at = 0, n = 0; at < wire.length; n++) {
        const size = cuts[n % cuts.length] ?? 1;
        demux.push(wire.subarray(at, at + size));
        at += size;
      }
      const of = (wanted: number) =>
        Buffer.concat(frames.flatMap(([stream, bytes]) => stream === wanted ? [bytes] : []));
      assert.equal(streams(), [of(1).toString("hex"), of(2).toString("hex")]);
      assert.ok(demux.whole);
    },
  ));
});

test("Demux takes a chunk of 200,000 frames of one byte", () => {
  const { demux, streams } = collecting();
  const one = frame(1, Buffer.from("x"));
  demux.push(Buffer.concat(Array.from({ length: 200_000 }, () => one)));
  assert.is(streams()[0]?.length, 400_000);
});

test("Demux knows that a stream ended within a header, and within a frame", () => {
  const { demux } = collecting();
  demux.push(Buffer.from([1, 0, 0]));
  assert.not.ok(demux.whole);
  demux.push(Buffer.from([0, 0, 0, 0, 2, 65]));
  assert.not.ok(demux.whole);
  demux.push(Buffer.from([66]));
  assert.ok(demux.whole);
});

test("Demux refuses what is no frame", () => {
  const { demux } = collecting();
  assert.throws(
    () => demux.push(Buffer.from("HTTP/1.1 200 OK")),
    (error: unknown) => error instanceof FrameError,
  );
});
