import { createServer, request } from "node:http";
import type { AddressInfo } from "node:net";
import * as assert from "uvu/assert";
import { WebSocket, WebSocketServer } from "ws";
import { suite } from "../harness.ts";
import { type HttpFault, type HttpFaultProxy, httpFaultProxy } from "./fault-proxy-http.ts";
import { until } from "./processes.ts";

const test = suite("httpFaultProxy()");
const closing: (() => Promise<unknown>)[] = [];

test.after.each(async () => {
  for (const close of closing.splice(0).reverse()) await close();
});

/** A server that counts its requests, and sends back what a WebSocket says, behind a proxy. */
async function counting(): Promise<
  { readonly proxy: HttpFaultProxy; readonly count: () => number }
> {
  let count = 0;
  const server = createServer((asked, response) => {
    asked.resume().once("end", () => response.end(`answer ${++count}`));
  });
  const sockets = new WebSocketServer({ server });
  sockets.on("connection", (socket) => {
    socket.on("error", () => {});
    socket.on("message", (data, binary) => socket.send(data as Uint8Array, { binary }));
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  const proxy = await httpFaultProxy({ port: (server.address() as AddressInfo).port });
  closing.push(() => {
    server.closeAllConnections();
    return new Promise((resolve) => server.close(resolve));
  }, () => proxy.close());
  return { proxy, count: () => count };
}

interface Socket {
  readonly socket: WebSocket;
  readonly heard: () => string;
  /** How it ended: the code of its close, the status in place of it, or `error`. */
  readonly ended: Promise<string>;
}

function open({ port }: HttpFaultProxy): Socket {
  const socket = new WebSocket(`ws://127.0.0.1:${port}/a`);
  let heard = "";
  let how: string | undefined;
  socket.on("message", (data) => heard += String(data));
  socket.on("error", (error: Error & { readonly code?: string }) => how ??= error.code ?? "error");
  socket.on("unexpected-response", (_request, response) => {
    const after = response.headers["retry-after"];
    how = `${response.statusCode}${after === undefined ? "" : ` after ${after}`}`;
    socket.terminate();
  });
  const ended = new Promise<string>((resolve) => {
    socket.once("close", (code) => resolve(how ?? String(code)));
  });
  closing.push(() => Promise.resolve(socket.terminate()));
  return { socket, heard: () => heard, ended };
}

/** By node's own client: fetch of some runtimes sends a request again when its connection is lost. */
async function post({ url }: HttpFaultProxy): Promise<string> {
  return await new Promise((resolve, reject) => {
    const sent = request(`${url}/x`, { method: "POST", agent: false }, (answer) => {
      let text = "";
      answer.on("data", (chunk) => text += String(chunk));
      answer.on("error", reject);
      answer.once("end", () => resolve(`${answer.statusCode} ${text}`));
    });
    sent.once("error", reject);
    sent.end("b");
  });
}

test("hands on requests and WebSockets where nothing was asked for", async () => {
  const { proxy } = await counting();
  assert.is(await post(proxy), "200 answer 1");
  const { socket, heard, ended } = open(proxy);
  socket.once("open", () => socket.send("hello"));
  await until("it is back", () => heard() === "hello");
  socket.close(1000);
  assert.is(await ended, "1000");
  assert.is(proxy.hit.size, 0);
});

test("a lost reply is that of a request that was done", async () => {
  const { proxy, count } = await counting();
  proxy.nextRequests({ kind: "lost-reply" });
  await post(proxy).then(() => assert.unreachable(), () => {});
  assert.is(count(), 1);
  assert.is(await post(proxy), "200 answer 2");
  assert.is(proxy.hit.get("lost-reply"), 1);
});

test("a doubled request is done twice and answered once", async () => {
  const { proxy, count } = await counting();
  proxy.nextRequests({ kind: "doubled" });
  assert.is(await post(proxy), "200 answer 2");
  assert.is(count(), 2);
  assert.equal(proxy.requests, { came: 1, forwarded: 2 });
});

test("a cut reply ends within its body", async () => {
  const { proxy } = await counting();
  proxy.nextRequests({ kind: "cut-reply", at: 3 });
  await post(proxy).then(() => assert.unreachable(), () => {});
  assert.is(proxy.hit.get("cut-reply"), 1);
});

for (const status of [429, 502, 503, 504] as const) {
  test(`${status} comes in place of an answer, and of a WebSocket`, async () => {
    const { proxy, count } = await counting();
    const fault: HttpFault = { kind: "status", status, retryAfter: 7 };
    proxy.nextRequests(fault);
    const answer = await fetch(proxy.url);
    await answer.text();
    assert.is(answer.status, status);
    assert.is(answer.headers.get("retry-after"), "7");
    assert.is(count(), 0);
    proxy.nextSockets(fault);
    assert.is(await open(proxy).ended, `${status} after 7`);
    assert.is(proxy.hit.get(`status ${status}`), 2);
  });
}

for (const code of [1001, 1011, 1012, 1013] as const) {
  test(`a WebSocket is closed with ${code} after so many bytes`, async () => {
    const { proxy } = await counting();
    proxy.nextSockets({ kind: "ws-close", code, at: 6 });
    const { socket, heard, ended } = open(proxy);
    socket.once("open", () => socket.send("abc"));
    await until("three are back", () => heard() === "abc");
    socket.send("def");
    assert.is(await ended, String(code));
    assert.is(heard(), "abcdef");
    assert.is(proxy.hit.get(`ws-close ${code}`), 1);
  });
}

test("a WebSocket is ended without a goodbye, or by garbage", async () => {
  const { proxy } = await counting();
  for (const kind of ["ws-drop", "ws-garbage"] as const) {
    proxy.nextSockets({ kind, at: 1 });
    const { socket, ended } = open(proxy);
    socket.once("open", () => socket.send("a"));
    const how = await ended;
    if (kind === "ws-drop") assert.is(how, "1006");
    else assert.ok(how.startsWith("WS_ERR_"), how);
    assert.is(proxy.hit.get(kind), 1);
  }
});

test("no reply is silence, without an end", async () => {
  const { proxy, count } = await counting();
  proxy.nextRequests({ kind: "no-reply" });
  const leaving = new AbortController();
  const asked = fetch(proxy.url, { signal: leaving.signal });
  asked.catch(() => {});
  await until("the server has done it", () => proxy.hit.get("no-reply") === 1);
  assert.is(count(), 1);
  leaving.abort();
  await asked.then(() => assert.unreachable(), () => {});
});
