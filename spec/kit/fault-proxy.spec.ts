import { connect, createServer, type Server, type Socket } from "node:net";
import * as assert from "uvu/assert";
import { suite } from "../harness.ts";
import { type FaultProxy, faultProxy, type Line } from "./fault-proxy.ts";
import { until } from "./processes.ts";

const test = suite("faultProxy()");
const closing: (() => Promise<unknown>)[] = [];

test.after.each(async () => {
  for (const close of closing.splice(0).reverse()) await close();
});

/** A server that sends back what it gets, behind a proxy. */
async function echo(
  line: Line = {},
): Promise<{ readonly proxy: FaultProxy; readonly got: () => number }> {
  let got = 0;
  const server: Server = createServer({ allowHalfOpen: true }, (socket) => {
    socket.on("error", () => {});
    socket.on("data", (chunk: Uint8Array) => {
      got += chunk.length;
      socket.write(chunk);
    });
    socket.on("end", () => socket.end());
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  const address = server.address();
  if (address === null || typeof address === "string") throw new TypeError("no port");
  const proxy = await faultProxy({ port: address.port }, line);
  closing.push(() => new Promise((resolve) => server.close(resolve)), () => proxy.close());
  return { proxy, got: () => got };
}

interface Client {
  readonly socket: Socket;
  readonly heard: () => string;
  /** How it ended: `end`, or the code of an error. */
  readonly ended: Promise<string>;
}

function dial({ port, host }: FaultProxy): Client {
  const socket = connect({ port, host });
  closing.push(() => Promise.resolve(socket.destroy()));
  let heard = "";
  let how = "end";
  socket.on("data", (chunk) => heard += String(chunk));
  socket.on("error", (error: Error & { readonly code?: string }) => how = error.code ?? "error");
  const ended = new Promise<string>((resolve) => socket.once("close", () => resolve(how)));
  return { socket, heard: () => heard, ended };
}

test("hands on bytes and half-closes both ways where nothing was asked for", async () => {
  const { proxy } = await echo();
  const { socket, heard, ended } = dial(proxy);
  socket.end("x".repeat(300_000));
  assert.is(await ended, "end");
  assert.is(heard().length, 300_000);
  assert.is(proxy.hit.size, 0);
  assert.is(proxy.accepted, 1);
  await until("nothing stands", () => proxy.open === 0);
});

test("refuse() refuses connections until accept(), on the same port", async () => {
  const { proxy } = await echo();
  const { port } = proxy;
  await proxy.refuse();
  assert.is(await dial(proxy).ended, "ECONNREFUSED");
  await proxy.accept();
  assert.is(proxy.port, port);
  const { socket, heard, ended } = dial(proxy);
  socket.end("again");
  assert.is(await ended, "end");
  assert.is(heard(), "again");
});

test("reset at 0 resets a connection that was just made", async () => {
  const { proxy, got } = await echo();
  proxy.next({ kind: "reset", of: "up", at: 0 });
  const { socket, ended } = dial(proxy);
  socket.write("hello");
  assert.is(await ended, "ECONNRESET");
  assert.is(got(), 0);
  assert.is(proxy.hit.get("reset"), 1);
});

test("reset comes after so many bytes from the client", async () => {
  const { proxy, got } = await echo();
  proxy.next({ kind: "reset", of: "up", at: 5 });
  const { socket, ended } = dial(proxy);
  socket.write("abc");
  await until("three are there", () => got() === 3);
  assert.is(proxy.hit.size, 0);
  socket.write("defgh");
  assert.is(await ended, "ECONNRESET");
  assert.ok(got() <= 5);
});

test("close comes after so many bytes from the server, which are handed on", async () => {
  const { proxy } = await echo();
  proxy.next({ kind: "close", of: "down", at: 4 });
  const { socket, heard, ended } = dial(proxy);
  socket.write("abcdefgh");
  assert.is(await ended, "end");
  assert.is(heard(), "abcd");
  assert.is(proxy.hit.get("close"), 1);
});

test("close at 0 ends a connection without a word", async () => {
  const { proxy } = await echo();
  proxy.next({ kind: "close", of: "down", at: 0 });
  const { heard, ended } = dial(proxy);
  assert.is(await ended, "end");
  assert.is(heard(), "");
});

test("a banner is said in place of the server's words, and then nothing", async () => {
  const { proxy, got } = await echo();
  proxy.next({ kind: "banner", text: "SSH-2.0-early\r\n" });
  const { heard, ended } = dial(proxy);
  assert.is(await ended, "end");
  assert.is(heard(), "SSH-2.0-early\r\n");
  assert.is(got(), 0);
});

for (const side of ["up", "down"] as const) {
  test(`stall stops handing on after so many bytes ${side}, and closes nothing`, async () => {
    const { proxy, got } = await echo();
    proxy.next({ kind: "stall", of: side, at: 3 });
    const { socket, heard } = dial(proxy);
    let isClosed = false;
    socket.once("close", () => isClosed = true);
    socket.write("abcdef");
    await until("three are heard", () => heard() === "abc");
    const other = dial(proxy);
    other.socket.end("beside");
    assert.is(await other.ended, "end");
    assert.is(heard(), "abc");
    assert.is(got(), (side === "up" ? 3 : 6) + 6);
    assert.not.ok(isClosed);
    assert.is(proxy.hit.get("stall"), 1);
  });
}

test("drop() ends connections that stand, by FIN or RST", async () => {
  const { proxy } = await echo();
  for (const [how, told] of [["close", "end"], ["reset", "ECONNRESET"]] as const) {
    const { socket, heard, ended } = dial(proxy);
    socket.write("x");
    await until("it stands", () => heard() === "x");
    proxy.drop(how);
    assert.is(await ended, told);
  }
  assert.is(proxy.hit.get("drop"), 2);
});

test("faults happen to connections in their order, null is none", async () => {
  const { proxy } = await echo();
  proxy.next(null, { kind: "banner", text: "no" });
  const first = dial(proxy);
  first.socket.end("one");
  await first.ended;
  const second = dial(proxy);
  await second.ended;
  const third = dial(proxy);
  third.socket.end("three");
  await third.ended;
  assert.equal([first, second, third].map(({ heard }) => heard()), ["one", "no", "three"]);
});

test("a delay is that of each byte and not of each piece", async () => {
  const { proxy } = await echo({ delayMs: 40 });
  const { socket, heard } = dial(proxy);
  const began = performance.now();
  for (let piece = 0; piece < 20; piece++) socket.write("x");
  await until("all are back", () => heard().length === 20);
  const took = performance.now() - began;
  assert.ok(took >= 79 && took < 400, `${took} ms`);
});

test("a bandwidth is that of the whole direction", async () => {
  const { proxy } = await echo({ bytesPerSecond: 100_000 });
  const { socket, heard } = dial(proxy);
  const began = performance.now();
  socket.write("x".repeat(20_000));
  await until("all are back", () => heard().length === 20_000);
  const took = performance.now() - began;
  assert.ok(took >= 195, `${took} ms`);
});
