import { readFileSync } from "node:fs";
import { join } from "node:path";
import * as assert from "uvu/assert";
import { systemClock } from "../../runtime/clock.ts";
import { isSidecanaryError } from "../../runtime/errors.ts";
import { classifyClose } from "../../runtime/ssh/classify-tunnel.ts";
import { connectSsh } from "../../runtime/ssh/connect-ssh.ts";
import { dialTunnel, type TunnelTarget } from "../../runtime/ssh/dial-tunnel.ts";
import { retryAfterMs } from "../../runtime/ssh/retry-after.ts";
import { suite } from "../harness.ts";
import { fixture } from "../kit/fixture.ts";
import { ManualClock } from "../kit/manual-clock.ts";
import { until } from "../kit/processes.ts";
import { SshServer } from "../kit/ssh-server.ts";
import { TunnelServer, type TunnelServerOptions } from "../kit/tunnel-server.ts";
import { failure, run } from "../sidecars/host-contract.ts";
import { closedPort, faultAndKind, faultOf, rawServer } from "./faults.ts";

const { signal } = new AbortController();
const clock = systemClock;
const closers: (() => Promise<unknown>)[] = [];

async function tunnelOf(options: TunnelServerOptions = {}): Promise<TunnelServer> {
  const server = await TunnelServer.listen(options);
  closers.push(() => server.close());
  return server;
}

function dial(url: string, more: Partial<TunnelTarget> = {}) {
  return dialTunnel({ url, signal, clock, ...more });
}

function pem(name: string): { cert: string; key: string } {
  const read = (end: string) => readFileSync(join(fixture("tls"), `${name}.${end}`), "utf8");
  return { cert: read("crt"), key: read("key") };
}

async function closeAll(): Promise<void> {
  for (const close of closers.splice(0)) await close();
}

function timersOf(moved: ManualClock) {
  return {
    now: () => moved.now(),
    setTimeout: (callback: () => void, ms: number) => moved.setTimeout(callback, ms),
    clearTimeout: (id: unknown) => moved.clearTimeout(id as number),
  };
}

const test = suite("dialTunnel");
test.after.each(closeAll);

test("dialTunnel() carries bytes both ways, sends the headers, and offers no compression", async () => {
  const tunnel = await tunnelOf({ onStream: (stream) => stream.pipe(stream) });
  const stream = await dial(tunnel.url, { headers: { "x-token": "t" } });
  const bytes = Buffer.alloc(4 * 1024 * 1024, "0123456789");
  const said: Uint8Array[] = [];
  stream.on("data", (chunk: Uint8Array) => said.push(chunk));
  for (let at = 0; at < bytes.length; at += 100_000) stream.write(bytes.subarray(at, at + 100_000));
  const size = () => said.reduce((sum, each) => sum + each.length, 0);
  await until("everything is back", () => size() === bytes.length);
  assert.is(Buffer.compare(Buffer.concat(said), bytes), 0);
  const [request] = tunnel.requests;
  assert.is(request?.url, "/ssh/tunnel");
  assert.is(request?.headers["x-token"], "t");
  assert.is(request?.headers["sec-websocket-extensions"], undefined);
  stream.destroy();
});

test("dialTunnel() does not read faster than it is read from", async () => {
  let sent = 0;
  const tunnel = await tunnelOf({
    onStream: (stream) => {
      const more = (): void => {
        while (sent < 64 * 1024 * 1024) {
          sent += 65_536;
          if (!stream.write(Buffer.alloc(65_536))) return void stream.once("drain", more);
        }
      };
      more();
    },
  });
  const stream = await dial(tunnel.url);
  let before = -1;
  await until("nothing more is sent", () => {
    const stands = sent === before && sent > 0;
    before = sent;
    return stands;
  });
  assert.ok(sent < 64 * 1024 * 1024);
  stream.destroy();
});

test("DialSSHWebSocketConnectionRefused: a closed port is refused, no name unresolved; both while-booting", async () => {
  const port = await closedPort();
  assert.is(await faultAndKind(dial(`ws://localhost:${port}/`)), "refused while-booting");
  const none = `wss://${"a".repeat(64)}.invalid/`;
  assert.is(await faultAndKind(dial(none)), "unresolved while-booting");
});

const statuses: Readonly<Record<number, string>> = {
  301: "never",
  400: "never",
  401: "never",
  403: "never",
  404: "while-booting",
  408: "reconnect",
  410: "never",
  425: "reconnect",
  429: "reconnect",
  500: "reconnect",
  502: "reconnect",
  503: "reconnect",
};

for (const [status, kind] of Object.entries(statuses)) {
  test(`dialTunnel() that is answered ${status} is tunnel-status, ${kind}`, async () => {
    const tunnel = await tunnelOf({ refuse: { status: Number(status) } });
    const found = await faultOf(dial(`${tunnel.url}?token=secret`));
    assert.equal(found, {
      host: tunnel.url,
      fault: "tunnel-status",
      kind: kind as "never",
      detail: Number(status),
    });
  });
}

test("dialTunnel() hands on how long to wait", async () => {
  const headers = { "Retry-After": "7" };
  const tunnel = await tunnelOf({ refuse: { status: 503, headers } });
  assert.is((await faultOf(dial(tunnel.url))).retryAfterMs, 7_000);
  const date = "Wed, 21 Oct 2026 07:28:00 GMT";
  assert.is(retryAfterMs(date, Date.parse(date) - 1_500), 1_500);
  assert.is(retryAfterMs(date, Date.parse(date) + 1_500), 0);
  assert.is(retryAfterMs("soon", 0), undefined);
  assert.is(retryAfterMs(undefined, 0), undefined);
});

test("dialTunnel() to a server that hangs is dial-timeout, at its deadline", async () => {
  const silent = await tunnelOf({ silent: true });
  const mute = await rawServer(() => {});
  for (const url of [silent.url, `wss://127.0.0.1:${mute.port}/`]) {
    const moved = new ManualClock();
    const dialling = faultAndKind(dial(url, { clock: timersOf(moved), deadlineMs: 3_000 }));
    moved.advance(2_999);
    assert.is(moved.waiting, 1);
    moved.advance(1);
    assert.is(await dialling, "dial-timeout reconnect");
  }
  await mute.close();
});

test("dialTunnel() rejects with the reason of an abort", async () => {
  const silent = await tunnelOf({ silent: true });
  const controller = new AbortController();
  const dialling = failure(dial(silent.url, { signal: controller.signal }));
  await until("it is asked", () => silent.requests.length === 1);
  controller.abort(new RangeError("enough"));
  assert.instance(await dialling, RangeError);
});

test("dialTunnel() to a server that hangs up is reset, reconnect", async () => {
  for (const how of ["end", "resetAndDestroy"] as const) {
    const server = await rawServer((socket) => socket.once("data", () => socket[how]()));
    const url = `ws://127.0.0.1:${server.port}/`;
    assert.is(await faultAndKind(dial(url)), "reset reconnect", how);
    await server.close();
  }
});

test("dialTunnel() to what speaks no HTTP is bad-response, never", async () => {
  const server = await rawServer((socket) => socket.end("SSH-2.0-OpenSSH_9.2\r\n"));
  const found = await faultAndKind(dial(`ws://127.0.0.1:${server.port}/`));
  assert.is(found, "bad-response never");
  await server.close();
});

test("dialTunnel() over TLS trusts a certificate that is named, and no other", async () => {
  const tls = pem("localhost");
  const tunnel = await tunnelOf({ tls, onStream: (stream) => stream.pipe(stream) });
  for (const more of [{ ca: tls.cert }, { ca: Buffer.from(tls.cert) }, { insecure: true }]) {
    const stream = await dial(tunnel.url, more);
    stream.destroy();
  }
  assert.is(await faultAndKind(dial(tunnel.url)), "tls never");
  assert.is(await faultAndKind(dial(tunnel.url, { ca: pem("other").cert })), "tls never");
});

test("dialTunnel() refuses a certificate of another name", async () => {
  const tls = pem("other");
  const tunnel = await tunnelOf({ tls });
  assert.is(await faultAndKind(dial(tunnel.url, { ca: tls.cert })), "tls never");
});

test("dialTunnel() by TLS to what speaks none is tls, never", async () => {
  const tunnel = await tunnelOf();
  const url = tunnel.url.replace("ws:", "wss:");
  assert.is(await faultAndKind(dial(url)), "tls never");
});

const codes: Readonly<Record<number, string>> = {
  1000: "reconnect",
  1001: "reconnect",
  1002: "never",
  1003: "never",
  1007: "never",
  1008: "never",
  1009: "never",
  1011: "reconnect",
  1012: "reconnect",
  1013: "reconnect",
  1014: "reconnect",
  4000: "never",
};

const ssh = suite("connectSsh over a tunnel");
ssh.after.each(closeAll);

async function connected() {
  const server = await SshServer.listen();
  closers.push(() => server.close());
  const tunnel = await tunnelOf({ onStream: (stream) => server.inject(stream) });
  const { identity, username, policy: hostKey } = server;
  const stream = await dial(tunnel.url);
  const host = await connectSsh({
    stream,
    name: "box",
    username,
    identity,
    hostKey,
    signal,
    clock,
    keepaliveMs: 40,
    keepaliveCount: 2,
  });
  closers.unshift(() => host.close());
  const running = faultOf(run(host, "cat", { stdin: forever() }));
  await until("the command runs", () => server.commands.length === 1);
  return { server, tunnel, host, running };
}

async function* forever(): AsyncIterable<Uint8Array> {
  yield await new Promise<Uint8Array>(() => {});
}

ssh("a close of the websocket ends what runs, by its code", async () => {
  for (const [code, kind] of Object.entries(codes)) {
    const { tunnel, running, host } = await connected();
    for (const socket of tunnel.sockets) socket.close(Number(code));
    const { host: _, ...found } = await running;
    assert.equal(found, { fault: "tunnel-closed", kind: kind as "never", detail: Number(code) });
    const closed = await host.closed;
    if (!isSidecanaryError(closed, "host-failed")) throw closed;
    assert.is(closed.details.detail, Number(code));
  }
}, { timeoutMs: 20_000 });

ssh("a close without a code, and none at all, are tunnel-closed, reconnect", async () => {
  const first = await connected();
  for (const socket of first.tunnel.sockets) socket.close();
  assert.equal((await first.running).detail, 1005);
  const second = await connected();
  for (const socket of second.tunnel.sockets) socket.terminate();
  const { fault, kind, detail } = await second.running;
  assert.equal([fault, kind, detail], ["tunnel-closed", "reconnect", 1006]);
  assert.equal(classifyClose(1006), { fault: "tunnel-closed", kind: "reconnect", detail: 1006 });
});

ssh("a broken frame is bad-frame, never", async () => {
  const { tunnel, running } = await connected();
  for (const connection of tunnel.connections) connection.write(Buffer.from([0xff, 0xff, 0, 0]));
  const { fault, kind } = await running;
  assert.equal([fault, kind], ["bad-frame", "never"]);
});

ssh("a frozen tunnel is frozen, reconnect", async () => {
  const { tunnel, running } = await connected();
  for (const connection of tunnel.connections) connection.pause();
  const { fault, kind } = await running;
  assert.equal([fault, kind], ["frozen", "reconnect"]);
});

ssh("a close before the login is done is tunnel-closed with its code", async () => {
  const tunnel = await tunnelOf({
    onStream: () => {
      for (const socket of tunnel.sockets) socket.close(1013);
    },
  });
  const server = await SshServer.listen();
  closers.push(() => server.close());
  const { identity, username, policy: hostKey } = server;
  const stream = await dial(tunnel.url);
  const found = await faultOf(
    connectSsh({ stream, name: "box", username, identity, hostKey, signal, clock }),
  );
  assert.equal([found.fault, found.kind, found.detail], ["tunnel-closed", "reconnect", 1013]);
});
