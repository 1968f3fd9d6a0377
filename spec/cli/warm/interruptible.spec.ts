import { PassThrough } from "node:stream";
import * as assert from "uvu/assert";
import { interruptible } from "../../../runtime/cli/warm/interruptible.ts";
import { suite } from "../../harness.ts";

const test = suite("interruptible");

const failing = (code: string): Error => Object.assign(new Error(`write ${code}`), { code });

/** Work that goes on until it is cancelled. */
const endless = (signal: AbortSignal): Promise<number> =>
  new Promise((_, reject) => signal.addEventListener("abort", () => reject(signal.reason)));

test("interruptible() cancels work whose output nobody reads, and ends as by SIGPIPE", async () => {
  const io = { stdout: new PassThrough(), stderr: new PassThrough() };
  const running = interruptible(io, endless);
  io.stdout.emit("error", failing("EPIPE"));
  assert.is(await running, 141);
  assert.is(io.stderr.readableLength, 0);
});

test("interruptible() cancels work whose output cannot be written, and ends with 1", async () => {
  const io = { stdout: new PassThrough(), stderr: new PassThrough() };
  const running = interruptible(io, endless);
  io.stdout.emit("error", failing("ENOSPC"));
  assert.is(await running, 1);
});

test("interruptible() answers the code of work whose output was read", async () => {
  const io = { stdout: new PassThrough(), stderr: new PassThrough() };
  assert.is(await interruptible(io, () => Promise.resolve(5)), 5);
});
