import { Buffer } from "node:buffer";
import { once } from "node:events";
import { connect, type Socket } from "node:net";
import process from "node:process";
import * as assert from "uvu/assert";
import { WebSocket } from "ws";
import { suite } from "../harness.ts";
import { until } from "../kit/processes.ts";
import {
  ALICE,
  api,
  createBody,
  dial,
  execOnce,
  INSTANCES,
  makeInstance,
  open,
  type TestHost,
  testHost,
} from "./serve-kit.ts";

const test = suite("attacks");
let host: TestHost, tunnel: string;
test.before(async () => {
  host = await testHost({
    limits: {
      headersMs: 500,
      requestMs: 1_000,
      loginMs: 1_000,
      sockets: 60,
      requestsInFlight: 20,
      connectionsPerInstance: 5,
      frameBytes: 65_536,
      bodyBytes: 4_096,
      createsPerMinute: 20,
    },
  });
  tunnel = (await makeInstance(host, "target")).url;
});
test.after(async () => await host.close());
// Nothing gets in, and everybody else is served as before.
test.after.each(async () => {
  assert.is((await api(host, "GET", INSTANCES)).status, 200);
  // There may be no socket left for as long as idle ones are kept.
  await until(
    "a client gets in",
    () => execOnce(tunnel, "exit 5").then(({ code }) => code === 5, () => false),
  );
  await until("nobody is connected", () => host.instances()[0]?.connections === 0);
});

function dialRaw(): Socket {
  const socket = connect(Number(new URL(host.url).port), "127.0.0.1");
  return socket.on("error", () => {});
}

async function closed(socket: Socket): Promise<string> {
  let text = "";
  socket.setEncoding("latin1").on("data", (chunk: string) => text += chunk);
  await new Promise((resolve) => socket.closed ? resolve(null) : socket.once("close", resolve));
  return text;
}

test("a head that never ends, a body that never comes and a silent socket are cut off", async () => {
  const sockets = ["GET / HTTP/1.1\r\nHost: x\r\nX-Slow: ", "", "GET", "\r\n"].map((start) => {
    const socket = dialRaw();
    socket.write(start);
    return socket;
  });
  const trickle = dialRaw();
  trickle.write("GET / HTTP/1.1\r\nHost: x\r\n");
  const drip = setInterval(() => trickle.writable && trickle.write("X-A: b\r\n"), 50);
  const body = dialRaw();
  body.write(
    `POST ${INSTANCES} HTTP/1.1\r\nHost: x\r\nCircle-Token: ${ALICE}\r\nContent-Length: 99\r\n\r\n{`,
  );
  const bodyDrip = setInterval(() => body.writable && body.write(" "), 50);
  await Promise.all([...sockets, trickle, body].map(closed));
  clearInterval(drip);
  clearInterval(bodyDrip);
});

test("a WebSocket that says nothing, and an SSH client that never logs in, are cut off", async () => {
  const silent = new WebSocket(tunnel);
  const greeting = new WebSocket(tunnel);
  greeting.once("open", () => greeting.send(Buffer.from("SSH-2.0-slow\r\n")));
  await Promise.all([once(silent, "close"), once(greeting, "close")]);
});

test("a WebSocket handshake that stops half way is cut off", async () => {
  const path = new URL(tunnel.replace(/^ws/, "http")).pathname;
  const socket = dialRaw();
  socket.write(`GET ${path} HTTP/1.1\r\nHost: x\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n`);
  await closed(socket);
  const wrong = dialRaw();
  wrong.write(
    `GET ${path} HTTP/1.1\r\nHost: x\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\r\n`,
  );
  assert.match(await closed(wrong), /^HTTP\/1.1 400/);
  const other = dialRaw();
  other.write(`GET ${path} HTTP/1.1\r\nHost: x\r\nUpgrade: h2c\r\nConnection: Upgrade\r\n\r\n`);
  assert.match(await closed(other), /^HTTP\/1.1 4\d\d/);
});

const GARBAGE: readonly (readonly [string, Buffer | string])[] = [
  ["a frame beyond the limit", Buffer.alloc(70_000, "S")],
  ["text", "SSH-2.0-x\r\n"],
  ["SSH 1", Buffer.from("SSH-1.0-x\r\n")],
  ["no SSH", Buffer.from("GET / HTTP/1.1\r\n\r\n")],
  ["a line without an end", Buffer.alloc(60_000, "S")],
  ["a packet of the largest length", Buffer.from("SSH-2.0-x\r\n\xff\xff\xff\xff\x00", "latin1")],
  ["a packet of length 0", Buffer.from("SSH-2.0-x\r\n\0\0\0\0\0\0\0\0\0", "latin1")],
  ["noise", Buffer.concat([Buffer.from("SSH-2.0-x\r\n"), Buffer.alloc(50_000, 0xa5)])],
  [
    "a session before any key exchange",
    Buffer.from(
      "SSH-2.0-x\r\n\0\0\0\x1c\x0a\x5a\0\0\0\x07session\0\0\0\0\0\0\0\0\0\0\0\0",
      "latin1",
    ),
  ],
];
for (const [what, bytes] of GARBAGE) {
  test(`${what} ends that connection only`, async () => {
    const ws = new WebSocket(tunnel);
    ws.on("error", () => {});
    await once(ws, "open");
    ws.send(bytes);
    await once(ws, "close");
  });
}

test("raw frames that are none, or not masked, end that connection only", async () => {
  const path = new URL(tunnel.replace(/^ws/, "http")).pathname;
  for (
    const frame of ["\x82\x05hello", "\xff\xff\xff\xff", "\x82\xff\xff\xff\xff\xff\xff\xff\xff"]
  ) {
    const socket = dialRaw();
    socket.write(
      `GET ${path} HTTP/1.1\r\nHost: x\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n` +
        "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\n\r\n",
    );
    await once(socket, "data");
    socket.write(Buffer.from(frame, "latin1"));
    await closed(socket);
  }
});

test("a body beyond the limit is refused although its length was not told", async () => {
  const socket = dialRaw();
  socket.write(
    `POST ${INSTANCES} HTTP/1.1\r\nHost: x\r\nCircle-Token: ${ALICE}\r\n` +
      "Content-Type: application/json\r\nTransfer-Encoding: chunked\r\n\r\n",
  );
  const chunk = `1000\r\n${" ".repeat(4_096)}\r\n`;
  const flood = setInterval(() => socket.writable && socket.write(chunk), 1);
  assert.match(await closed(socket), /^HTTP\/1.1 413/);
  clearInterval(flood);
});

test("two lengths, and a length beside chunks, are refused as the smuggling that they are", async () => {
  for (
    const heads of [
      "Content-Length: 5\r\nContent-Length: 6",
      "Content-Length: 5\r\nTransfer-Encoding: chunked",
    ]
  ) {
    const socket = dialRaw();
    socket.write(
      `POST ${INSTANCES} HTTP/1.1\r\nHost: x\r\n${heads}\r\n\r\n0\r\n\r\nGET / HTTP/1.1\r\n\r\n`,
    );
    const answer = await closed(socket);
    assert.not.match(answer, /^HTTP\/1.1 2/);
  }
});

test("500 requests at once are answered or refused, and the host stands", async () => {
  const before = process.memoryUsage().rss;
  const statuses = new Map<number | string, number>();
  await Promise.all(Array.from({ length: 500 }, async (_, index) => {
    const request = index % 2 === 0
      ? api(host, "GET", INSTANCES)
      : api(host, "POST", INSTANCES, { token: "wrong", body: createBody("x") });
    const status = await request.then((answer) => answer.status, () => "cut");
    statuses.set(status, (statuses.get(status) ?? 0) + 1);
  }));
  const seen = [...statuses.keys()].filter((status) => ![200, 401, 429, "cut"].includes(status));
  assert.equal(seen, []);
  assert.ok((statuses.get(200) ?? 0) > 0);
  assert.is(host.instances().length, 1);
  assert.ok(process.memoryUsage().rss - before < 300e6);
}, { timeoutMs: 30_000 });

test("200 connections at once do not keep out who comes after them", async () => {
  const sockets = Array.from({ length: 200 }, dialRaw);
  const tunnels = Array.from({ length: 50 }, () => {
    const ws = new WebSocket(tunnel);
    ws.on("error", () => {});
    return ws;
  });
  await Promise.all(sockets.map(closed));
  await until("all are cut off", () => tunnels.every((ws) => ws.readyState === ws.CLOSED));
}, { timeoutMs: 30_000 });

test("tunnels of one instance beyond the limit are refused with 429", async () => {
  const all = Array.from({ length: 5 }, () => new WebSocket(tunnel));
  await Promise.all(all.map((ws) => once(ws, "open")));
  const further = new WebSocket(tunnel);
  further.on("error", () => {});
  const [, response] = await once(further, "unexpected-response");
  assert.is(response.statusCode, 429);
  response.resume();
  further.terminate();
  for (const ws of all) ws.terminate();
});

test("a client that opens its window wide and reads nothing costs a bounded amount", async () => {
  const client = await dial(tunnel);
  const channels = await Promise.all(
    Array.from({ length: 8 }, () => open(client, "cat /dev/zero")),
  );
  const { _sock: sock } = client as unknown as { _sock: { pause(): void } };
  const { _protocol: protocol } = client as unknown as {
    _protocol: { channelWindowAdjust(id: number, bytes: number): void };
  };
  for (const channel of channels) {
    const { outgoing } = channel as unknown as { outgoing: { id: number } };
    protocol.channelWindowAdjust(outgoing.id, 1_000_000_000);
  }
  sock.pause();
  const before = process.memoryUsage().rss;
  for (let time = 0; time < 20; time++) assert.is((await execOnce(tunnel, "exit 4")).code, 4);
  assert.ok(process.memoryUsage().rss - before < 200e6, `${process.memoryUsage().rss - before}`);
  client.destroy();
});
