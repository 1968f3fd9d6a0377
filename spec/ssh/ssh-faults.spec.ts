import { createServer } from "node:http";
import { connect, type Socket } from "node:net";
import * as assert from "uvu/assert";
import { type Clock, systemClock } from "../../runtime/clock.ts";
import { classifyChannel } from "../../runtime/ssh/classify-channel.ts";
import { classifySsh } from "../../runtime/ssh/classify-ssh.ts";
import { connectSsh, type SshTarget } from "../../runtime/ssh/connect-ssh.ts";
import { dialTcp } from "../../runtime/ssh/dial-tcp.ts";
import type { HostKeyPolicy } from "../../runtime/ssh/host-key-policy.ts";
import type { SshHost } from "../../runtime/ssh/ssh-host.ts";
import { isSidecanaryError } from "../../runtime/errors.ts";
import { suite } from "../harness.ts";
import { ManualClock } from "../kit/manual-clock.ts";
import { uniqueSleep, until } from "../kit/processes.ts";
import { newKey, SshServer, type SshServerOptions } from "../kit/ssh-server.ts";
import { failure, run } from "../sidecars/host-contract.ts";
import { closedPort, faultAndKind, faultOf, rawServer } from "./faults.ts";

const { signal } = new AbortController();
const anyKey: HostKeyPolicy = { algorithms: [], verify: () => ({ ok: true }) };
const closers: (() => Promise<unknown>)[] = [];

async function connectTo(port: number, more: Partial<SshTarget> = {}): Promise<SshHost> {
  const stream = await dialTcp({ host: "127.0.0.1", port, signal, clock: systemClock });
  const host = await connectSsh({
    stream,
    name: "box",
    username: "secret-token",
    identity: { kind: "key", key: newKey() },
    hostKey: anyKey,
    clock: systemClock,
    signal,
    ...more,
  });
  closers.unshift(() => host.close());
  return host;
}

async function serverOf(options: SshServerOptions = {}): Promise<SshServer> {
  const server = await SshServer.listen(options);
  closers.push(() => server.close());
  return server;
}

async function connectedTo(server: SshServer, more: Partial<SshTarget> = {}): Promise<SshHost> {
  return await connectTo(server.port, { identity: server.identity, ...more });
}

/** How connecting fails where a bare TCP server does this. */
async function against(
  onSocket: (socket: Socket) => void,
  more: Partial<SshTarget> = {},
): Promise<string> {
  const server = await rawServer(onSocket);
  try {
    return await faultAndKind(connectTo(server.port, more));
  } finally {
    await server.close();
  }
}

async function closeAll(): Promise<void> {
  for (const close of closers.splice(0)) await close();
}

function timersOf(moved: ManualClock): Clock {
  return {
    now: () => moved.now(),
    setTimeout: (callback, ms) => moved.setTimeout(callback, ms),
    clearTimeout: (id) => moved.clearTimeout(id as number),
  };
}

const before = suite("connectSsh: faults before the login is done");
before.after.each(closeAll);

before("FIN at once is closed-early, while-booting", async () => {
  assert.is(await against((socket) => socket.end()), "closed-early while-booting");
});

before("RST at once is reset, reconnect", async () => {
  assert.is(
    await against((socket) => socket.once("data", () => socket.resetAndDestroy())),
    "reset reconnect",
  );
});

before("a banner, then FIN, gives no error by ssh2: closed-early, while-booting", async () => {
  const found = await against((socket) => socket.end("SSH-2.0-OpenSSH_9.2p1 Debian-2\r\n"));
  assert.is(found, "closed-early while-booting");
});

before("a banner, then RST, is reset, reconnect", async () => {
  const found = await against((socket) => {
    socket.write("SSH-2.0-OpenSSH_9.2p1 Debian-2\r\n");
    socket.once("data", () => socket.resetAndDestroy());
  });
  assert.is(found, "reset reconnect");
});

before("an HTTP server is not-ssh, while-booting", async () => {
  const server = createServer((_request, response) => void response.end());
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  const address = server.address();
  if (address === null || typeof address === "string") throw new Error("no port");
  assert.is(await faultAndKind(connectTo(address.port)), "not-ssh while-booting");
  await new Promise((resolve) => server.close(resolve));
});

before("garbage, then FIN, is not-ssh, while-booting", async () => {
  const garbage = Buffer.from("\x00\xff\x16\x03\x01 garbage\r\nand more\r\n", "latin1");
  assert.is(await against((socket) => socket.end(garbage)), "not-ssh while-booting");
});

before("SSH 1.5 is not-ssh, never", async () => {
  assert.is(await against((socket) => socket.write("SSH-1.5-OpenSSH_3.0\r\n")), "not-ssh never");
});

before("garbage after the banner is not-ssh, never", async () => {
  const found = await against((socket) => {
    socket.write("SSH-2.0-x\r\n");
    socket.write(Buffer.alloc(64, 0xff));
  });
  assert.is(found, "not-ssh never");
});

before("silence is dial-timeout, reconnect, at the deadline", async () => {
  for (const banner of ["", "SSH-2.0-OpenSSH_9.2\r\n"]) {
    let heard = false;
    const server = await rawServer((socket) => {
      socket.write(banner);
      socket.once("data", () => heard = true);
    });
    const moved = new ManualClock();
    const connecting = faultAndKind(
      connectTo(server.port, { deadlineMs: 7_000, clock: timersOf(moved) }),
    );
    await until("the client has spoken", () => heard);
    assert.is(moved.waiting, 1);
    moved.advance(6_999);
    assert.is(moved.waiting, 1);
    moved.advance(1);
    assert.is(await connecting, "dial-timeout reconnect");
    await server.close();
  }
});

before("an abort goes before every other reason, and leaves no timer", async () => {
  let heard = false;
  const server = await rawServer((socket) => socket.once("data", () => heard = true));
  const moved = new ManualClock();
  const controller = new AbortController();
  const connecting = failure(
    connectTo(server.port, { clock: timersOf(moved), signal: controller.signal }),
  );
  await until("the client has spoken", () => heard);
  controller.abort(new DOMException("late", "TimeoutError"));
  const error = await connecting;
  assert.instance(error, DOMException);
  assert.is(moved.waiting, 0);
  await server.close();
});

before("a stream that was gone before is closed-early", async () => {
  const server = await serverOf();
  const stream = await server.dial();
  stream.destroy();
  const connecting = connectTo(server.port, { stream });
  assert.is(await faultAndKind(connecting), "closed-early while-booting");
});

before("no algorithm in common is no-common-algorithm, never, and names what to do", async () => {
  for (
    const algorithms of [
      { kex: ["diffie-hellman-group14-sha1"] },
      { cipher: ["aes256-cbc"] },
    ] as const
  ) {
    const server = await serverOf({ algorithms: structuredClone(algorithms) as never });
    const error = await failure(connectedTo(server));
    if (!isSidecanaryError(error, "host-failed")) throw error;
    assert.equal([error.details.fault, error.details.kind], ["no-common-algorithm", "never"]);
    assert.match(error.message, "post-quantum");
  }
});

before("a rejected host key says why, before the key for the login is shown", async () => {
  for (const fault of ["host-key-unknown", "host-key-changed", "host-key-revoked"] as const) {
    for (const slow of [false, true]) {
      const server = await serverOf();
      const seen: Uint8Array[] = [];
      const verify = (key: Uint8Array) => {
        seen.push(key);
        const verdict = { ok: false, fault, message: `${fault}!` } as const;
        return slow ? Promise.resolve(verdict) : verdict;
      };
      const error = await failure(connectedTo(server, { hostKey: { algorithms: [], verify } }));
      if (!isSidecanaryError(error, "host-failed")) throw error;
      assert.equal(error.details, { host: "box", fault, kind: "never" });
      assert.is(error.message, `${fault}!`);
      assert.is(Buffer.compare(seen[0] ?? Buffer.alloc(0), server.hostKey), 0);
    }
  }
});

before("what a policy throws ends the attempt, as it is", async () => {
  const server = await serverOf();
  const verify = () => {
    throw new RangeError("the file is broken");
  };
  const error = await failure(connectedTo(server, { hostKey: { algorithms: [], verify } }));
  assert.instance(error, RangeError);
});

before("a policy that never answers ends at the deadline", async () => {
  const server = await serverOf();
  const moved = new ManualClock();
  let asked = false;
  const verify = () => {
    asked = true;
    return new Promise<never>(() => {});
  };
  const connecting = faultAndKind(
    connectedTo(server, { hostKey: { algorithms: [], verify }, clock: timersOf(moved) }),
  );
  await until("the policy is asked", () => asked);
  moved.advance(20_000);
  assert.is(await connecting, "dial-timeout reconnect");
});

before("a key exchange whose last messages come in one packet ends well", async () => {
  const server = await serverOf();
  const gate = await rawServer((socket) => {
    const inner = connect({ port: server.port, host: server.host });
    inner.on("error", () => {});
    socket.pipe(inner);
    let held: Uint8Array[] = [];
    let timer: ReturnType<typeof setTimeout> | undefined;
    inner.on("data", (chunk: Uint8Array) => {
      held.push(chunk);
      clearTimeout(timer);
      timer = setTimeout(() => {
        socket.write(Buffer.concat(held));
        held = [];
      }, 10);
    });
    inner.on("close", () => socket.end());
  });
  for (const slow of [false, true]) {
    const verify = () => slow ? Promise.resolve({ ok: true } as const) : { ok: true } as const;
    const { identity } = server;
    const host = await connectTo(gate.port, { identity, hostKey: { algorithms: [], verify } });
    assert.is((await run(host, "echo in")).stdout.toString(), "in\n");
    await host.close();
  }
  await gate.close();
});

before("a key that the server does not know is authentication, while-booting", async () => {
  const server = await serverOf();
  const error = await failure(connectTo(server.port));
  if (!isSidecanaryError(error, "host-failed")) throw error;
  assert.equal([error.details.fault, error.details.kind], ["authentication", "while-booting"]);
  // Whoever tries again waits, also where no gate of an adapter holds it back.
  assert.is(error.details.retryAfterMs, 6_000);
  assert.is(error.message.includes("secret-token"), false);
  assert.match(error.message, "authorized_keys");
});

before("a public key in place of a private one is bad-key, never", async () => {
  const server = await serverOf();
  const { utils } = (await import("ssh2")).default;
  const key = utils.parseKey(`ssh-ed25519 ${server.key.getPublicSSH().toString("base64")}`);
  if (key instanceof Error) throw key;
  const connecting = connectTo(server.port, { identity: { kind: "key", key } });
  assert.is(await faultAndKind(connecting), "bad-key never");
});

before("an agent that is not there is no-agent, never", async () => {
  const server = await serverOf();
  const identity = { kind: "agent", socket: "/nonexistent/agent.sock" } as const;
  assert.is(await faultAndKind(connectTo(server.port, { identity })), "no-agent never");
});

before("a DISCONNECT while logging in goes by its number", async () => {
  const wanted = {
    2: "too-many-authentications never",
    7: "disconnected reconnect",
    12: "disconnected reconnect",
    14: "disconnected never",
  };
  for (const [reason, found] of Object.entries(wanted)) {
    const server = await serverOf({ banner: "System is booting up" });
    server.onLogin = () => server.disconnect(Number(reason));
    const error = await failure(connectedTo(server));
    if (!isSidecanaryError(error, "host-failed")) throw error;
    assert.is(`${error.details.fault} ${error.details.kind}`, found);
    assert.is(error.details.detail, Number(reason));
  }
});

before("FIN while logging in is closed-early, and tells the server's banner", async () => {
  const server = await serverOf({ banner: "System is booting up.\x1b[31m Unprivileged" });
  server.onLogin = () => server.drop("fin");
  const error = await failure(connectedTo(server));
  if (!isSidecanaryError(error, "host-failed")) throw error;
  assert.equal([error.details.fault, error.details.kind], ["closed-early", "while-booting"]);
  assert.match(error.message, "System is booting up. [31m Unprivileged");
});

const after = suite("connectSsh: faults of a connection that stands");
after.after.each(closeAll);

async function lostBy(
  what: (server: SshServer) => void,
  more: Partial<SshTarget> = {},
): Promise<string> {
  const server = await serverOf();
  const host = await connectedTo(server, more);
  const running = faultAndKind(run(host, "echo up; cat", { stdin: open(), onStdout: up }));
  let isUp = false;
  function up(): void {
    isUp = true;
  }
  await until("the command runs", () => isUp);
  what(server);
  const found = await running;
  assert.is(await faultAndKind(run(host, "true")), found);
  const closed = await host.closed;
  if (!isSidecanaryError(closed, "host-failed")) throw closed;
  assert.is(`${closed.details.fault} ${closed.details.kind}`, found);
  return found;
}

async function* open(): AsyncIterable<Uint8Array> {
  yield await new Promise<Uint8Array>(() => {});
}

after("RST is reset, reconnect", async () => {
  assert.is(await lostBy((server) => server.drop("reset")), "reset reconnect");
});

after("FIN gives no error by ssh2: closed, reconnect", async () => {
  assert.is(await lostBy((server) => server.drop("fin")), "closed reconnect");
});

after("a frozen host is frozen, reconnect, after as many questions as were allowed", async () => {
  const more = { keepaliveMs: 40, keepaliveCount: 2 };
  assert.is(await lostBy((server) => server.freeze(), more), "frozen reconnect");
});

after("a DISCONNECT goes by its number", async () => {
  for (const [reason, kind] of [[2, "never"], [10, "reconnect"], [7, "reconnect"]] as const) {
    assert.is(await lostBy((server) => server.disconnect(reason)), `disconnected ${kind}`);
  }
  assert.is(await lostBy((server) => server.disconnect(11)), "closed reconnect");
});

after("a stream that is destroyed below is closed, reconnect", async () => {
  const server = await serverOf();
  const stream = await dialTcp({
    host: server.host,
    port: server.port,
    signal,
    clock: systemClock,
  });
  const host = await connectedTo(server, { stream });
  const running = faultAndKind(run(host, "cat", { stdin: open() }));
  await until("the command runs", () => server.commands.length > 0);
  stream.destroy();
  assert.is(await running, "closed reconnect");
});

after("an idle host is asked and stays", async () => {
  const server = await serverOf();
  const host = await connectedTo(server, { keepaliveMs: 10, keepaliveCount: 2 });
  assert.is((await run(host, "sleep 0.2; echo on")).stdout.toString(), "on\n");
});

after(
  "new keys in the middle of a command change nothing, and the policy is asked once",
  async () => {
    const server = await serverOf();
    let asked = 0;
    const verify = () => {
      asked++;
      return { ok: true } as const;
    };
    const host = await connectedTo(server, { hostKey: { algorithms: [], verify } });
    const bytes = Buffer.alloc(4 * 1024 * 1024, "rekey");
    let rekeyed = false;
    const said: Uint8Array[] = [];
    const exit = await host.exec({
      command: "cat",
      stdin: bytes,
      onStdout: (chunk) => {
        said.push(Uint8Array.from(chunk));
        if (!rekeyed) server.rekey();
        rekeyed = true;
      },
      signal,
    });
    assert.equal(exit, { kind: "exit", code: 0 });
    assert.is(Buffer.compare(Buffer.concat(said), bytes), 0);
    assert.is(asked, 1);
  },
);

const channels = suite("connectSsh: channels");
channels.after.each(closeAll);

channels("a channel over the limit is waited for on the same connection", async () => {
  const server = await serverOf();
  const moved = new ManualClock();
  const host = await connectedTo(server, { clock: timersOf(moved) });
  server.refuseChannels(2, 4, 2);
  const running = run(host, "echo in");
  for (const [left, waitMs] of [[2, 20], [1, 40], [0, 80]] as const) {
    await until(
      "a refusal is waited over",
      () => server.refusalsLeft === left && moved.waiting > 0,
    );
    moved.advance(waitMs - 1);
    assert.is(moved.waiting, 1);
    moved.advance(1);
  }
  assert.is((await running).stdout.toString(), "in\n");
  assert.is(server.accepted, 1);
});

channels("an abort ends the wait for a channel", async () => {
  const server = await serverOf();
  const moved = new ManualClock();
  const host = await connectedTo(server, { clock: timersOf(moved) });
  server.refuseChannels(...Array.from({ length: 5 }, () => 2));
  const controller = new AbortController();
  const all = Array.from(
    { length: 5 },
    () => failure(run(host, "echo in", { signal: controller.signal })),
  );
  await until("they wait", () => moved.waiting === 4);
  controller.abort(new RangeError("enough"));
  for (const error of await Promise.all(all)) assert.instance(error, RangeError);
  assert.is(moved.waiting, 0);
  // All four places are free again; one refusal was left for the fifth.
  const running = Promise.all(Array.from({ length: 4 }, () => run(host, "echo in")));
  await until("the last refusal is waited over", () => moved.waiting === 1);
  moved.advance(20);
  for (const { exit } of await running) assert.equal(exit, { kind: "exit", code: 0 });
});

channels("a loss ends the wait for a channel", async () => {
  const server = await serverOf();
  const moved = new ManualClock();
  const host = await connectedTo(server, { clock: timersOf(moved) });
  server.refuseChannels(2);
  const running = faultAndKind(run(host, "echo in"));
  await until("it waits", () => moved.waiting === 1);
  server.drop("reset");
  assert.is(await running, "reset reconnect");
  assert.is(moved.waiting, 0);
});

channels("prohibited and unknown channels never help, and the connection stays", async () => {
  const server = await serverOf();
  const host = await connectedTo(server);
  for (const reason of [1, 3]) {
    server.refuseChannels(reason);
    const found = await faultOf(run(host, "true"));
    assert.equal(found, {
      host: "box",
      fault: "channel-prohibited",
      kind: "never",
      detail: reason,
    });
  }
  assert.equal((await run(host, "true")).exit, { kind: "exit", code: 0 });
});

channels("a refused command is request-refused, never", async () => {
  const server = await serverOf({ refuseCommands: true });
  const host = await connectedTo(server);
  assert.is(await faultAndKind(run(host, "true")), "request-refused never");
});

channels("no more than four commands run at a time", async () => {
  const server = await serverOf();
  const host = await connectedTo(server);
  await Promise.all(Array.from({ length: 12 }, () => run(host, "sleep 0.02")));
  assert.is(server.mostSessions, 4);
});

channels("an aborted command keeps its place until its channel is closed", async () => {
  const server = await serverOf();
  const host = await connectedTo(server);
  const controllers = Array.from({ length: 8 }, () => new AbortController());
  const all = controllers.map((each) => failure(run(host, "sleep 0.1", { signal: each.signal })));
  await until("four run", () => server.commands.length === 4);
  for (const each of controllers) each.abort(new RangeError("enough"));
  await Promise.all(all);
  const { exit } = await run(host, "true");
  assert.equal(exit, { kind: "exit", code: 0 });
  assert.ok(server.mostSessions <= 4);
});

channels(
  "forward() reaches a port behind the host, for another connection through it",
  async () => {
    const inner = await serverOf();
    const outer = await serverOf();
    const jump = await connectedTo(outer);
    const stream = await jump.forward("127.0.0.1", inner.port, signal);
    const host = await connectedTo(inner, { stream, name: "inner" });
    const bytes = Buffer.alloc(3 * 1024 * 1024, "through");
    const { stdout } = await run(host, "cat", { stdin: bytes });
    assert.is(Buffer.compare(stdout, bytes), 0);
    const running = faultAndKind(run(host, `sleep ${uniqueSleep()}`));
    await until("the command runs", () => inner.commands.length === 2);
    outer.drop("reset");
    assert.is(await running, "closed reconnect");
  },
);

channels("forward() to a closed port is refused, while-booting", async () => {
  const outer = await serverOf();
  const port = await closedPort();
  const jump = await connectedTo(outer);
  assert.is(await faultAndKind(jump.forward("127.0.0.1", port, signal)), "refused while-booting");
  outer.refuseChannels(1);
  const found = await faultAndKind(jump.forward("127.0.0.1", port, signal));
  assert.is(found, "channel-prohibited never");
});

channels("a terminal speaks both ways, is resized, and ends with its command", async () => {
  const server = await serverOf();
  const host = await connectedTo(server);
  let said = "";
  const terminal = await host.terminal?.({
    command: 'echo $TERM $COLUMNS $LINES; read line; echo "got $line"; exit 3',
    term: "xterm-256color",
    columns: 100,
    rows: 30,
    onData: (chunk) => said += Buffer.from(chunk).toString(),
  });
  if (terminal === undefined) throw new Error("no terminal");
  await until("the terminal is up", () => said.includes("xterm-256color 100 30"));
  terminal.resize(120, 40);
  await until("it is resized", () => server.sizes.length === 2);
  assert.equal(server.sizes, [{ columns: 100, rows: 30 }, { columns: 120, rows: 40 }]);
  terminal.write(Buffer.from("some words\n"));
  assert.equal(await terminal.ended, { kind: "exit", code: 3 });
  assert.match(said, "got some words");
  terminal.write(Buffer.from("late"));
  terminal.resize(1, 1);
  terminal.close();
});

channels("a terminal without a command is the login shell; closed or lost it rejects", async () => {
  const server = await serverOf();
  const host = await connectedTo(server);
  let said = "";
  const options = {
    term: "xterm",
    columns: 80,
    rows: 24,
    onData: (chunk: Uint8Array) => said += Buffer.from(chunk).toString(),
  };
  const first = await host.terminal?.(options);
  first?.write(Buffer.from("echo $((40 + 2))\n"));
  await until("the shell has answered", () => said.includes("42"));
  first?.close();
  assert.is(await faultAndKind(first?.ended ?? Promise.resolve()), "closed reconnect");
  const second = await host.terminal?.(options);
  server.drop("reset");
  assert.is(await faultAndKind(second?.ended ?? Promise.resolve()), "reset reconnect");
  second?.write(Buffer.from("late"));
});

const classes = suite("classifySsh, classifyChannel");

classes("classifySsh() goes by phase, level and code alone", () => {
  const of = (phase: "handshake" | "authentication" | "ready", fields: object): string => {
    const error = Object.assign(new Error("Timed out while waiting for handshake"), fields);
    const found = classifySsh({ phase, heard: true, agentFailed: false, error });
    return `${found.fault} ${found.kind}`;
  };
  assert.is(of("handshake", { level: "client-timeout" }), "dial-timeout reconnect");
  assert.is(of("ready", { level: "client-timeout" }), "frozen reconnect");
  assert.is(of("ready", { level: "client-socket", code: "EPIPE" }), "closed reconnect");
  assert.is(of("ready", { level: "client-socket", code: "ETIMEDOUT" }), "closed reconnect");
  assert.is(of("ready", { level: "protocol", fatal: true }), "protocol reconnect");
  assert.is(of("ready", {}), "protocol reconnect");
  const passing = [7, 10, 11, 12];
  for (let code = 1; code <= 15; code++) {
    const kind = passing.includes(code) ? "reconnect" : "never";
    assert.is(of("ready", { code }), `disconnected ${kind}`);
  }
});

classes("classifyChannel() takes a channel that was closed as it opened for a loss", () => {
  assert.is(classifyChannel("session", Object.assign(new Error(), { reason: "" })).fault, "closed");
  const strange = classifyChannel("session", Object.assign(new Error(), { reason: 9 }));
  assert.equal(strange, { fault: "channel-prohibited", kind: "never", detail: 9 });
});
