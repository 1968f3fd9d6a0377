import type { Writable } from "node:stream";
import type { HostExec } from "../sidecars/host.ts";

/**
 * Writes a command's input as fast as it is taken, then ends it. Stops without an error when `over`
 * resolves: what does not read its input to the end is no failure.
 *
 * @param over resolves when nobody reads any more
 * @throws what the source throws
 */
export async function feed(
  sink: Writable,
  stdin: HostExec["stdin"],
  over: Promise<unknown>,
): Promise<void> {
  if (stdin === undefined) return void sink.end();
  if (stdin instanceof Uint8Array) return void sink.end(stdin);
  let isOver = false;
  const ended = over.then(() => {
    isOver = true;
  });
  const source = stdin[Symbol.asyncIterator]();
  while (true) {
    const next = await Promise.race([source.next(), ended]);
    if (next === undefined || isOver) break;
    if (next.done === true) return void sink.end();
    if (!sink.write(next.value)) await Promise.race([drained(sink), ended]);
  }
  // A generator that waits for something else answers this only afterwards, if ever.
  source.return?.().then(() => {}, () => {});
}

function drained(sink: Writable): Promise<void> {
  return new Promise((resolve) => sink.once("drain", resolve));
}
