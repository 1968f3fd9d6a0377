import { connect } from "node:net";
import * as assert from "uvu/assert";
import { systemClock } from "../../runtime/clock.ts";
import { classifyNetwork } from "../../runtime/ssh/classify-network.ts";
import { dialTcp } from "../../runtime/ssh/dial-tcp.ts";
import { suite } from "../harness.ts";
import { ManualClock } from "../kit/manual-clock.ts";
import { until } from "../kit/processes.ts";
import { failure } from "../sidecars/host-contract.ts";
import { closedPort, faultAndKind, faultOf, rawServer } from "./faults.ts";

const test = suite("dialTcp");
const { signal } = new AbortController();
const clock = systemClock;

test("dialTcp() answers a connected socket", async () => {
  const server = await rawServer((socket) => socket.end("hello"));
  const socket = await dialTcp({ host: "127.0.0.1", port: server.port, signal, clock });
  const said: Uint8Array[] = [];
  for await (const chunk of socket) said.push(chunk as Uint8Array);
  assert.is(Buffer.concat(said).toString(), "hello");
  await server.close();
});

test("dialTcp() to a closed port is refused, while-booting", async () => {
  const port = await closedPort();
  const found = await faultOf(dialTcp({ host: "127.0.0.1", port, signal, clock }));
  assert.equal(found, {
    host: `127.0.0.1:${port}`,
    fault: "refused",
    kind: "while-booting",
    detail: "ECONNREFUSED",
  });
});

test("dialTcp() to a name with two addresses, both closed, is refused too", async () => {
  const port = await closedPort();
  const dial = dialTcp({ host: "localhost", port, signal, clock });
  assert.is(await faultAndKind(dial), "refused while-booting");
});

test("dialTcp() to no name at all is unresolved, while-booting", async () => {
  const host = `${"a".repeat(64)}.invalid`;
  const dial = dialTcp({ host, port: 22, signal, clock });
  assert.is(await faultAndKind(dial), "unresolved while-booting");
});

test("dialTcp() gives up at its deadline, and says so", async () => {
  // What never answers: an address that is kept for documentation (RFC 5737).
  const moved = new ManualClock();
  const handle = { ...timersOf(moved) };
  const dial = faultAndKind(
    dialTcp({ host: "192.0.2.1", port: 22, deadlineMs: 5_000, signal, clock: handle }),
  );
  assert.is(moved.waiting, 1);
  moved.advance(5_000);
  assert.is(await dial, "dial-timeout reconnect");
});

test("dialTcp() rejects with the reason of an abort, and stops its timer", async () => {
  const moved = new ManualClock();
  const controller = new AbortController();
  const dial = failure(
    dialTcp({ host: "192.0.2.1", port: 22, signal: controller.signal, clock: timersOf(moved) }),
  );
  controller.abort(new RangeError("enough"));
  assert.instance(await dial, RangeError);
  assert.is(moved.waiting, 0);
  const late = dialTcp({ host: "192.0.2.1", port: 22, signal: controller.signal, clock });
  assert.instance(await failure(late), RangeError);
});

test("dialTcp() survives a reset before anybody listens", async () => {
  let peer: { resetAndDestroy(): void } | undefined;
  const server = await rawServer((socket) => peer = socket);
  const socket = await dialTcp({ host: "127.0.0.1", port: server.port, signal, clock });
  await until("the server has accepted", () => peer !== undefined);
  peer?.resetAndDestroy();
  socket.resume();
  await until("the socket is gone", () => socket.destroyed);
  await server.close();
});

test("classifyNetwork() of a local address that is not this machine's is bad-local-address, never", async () => {
  const error = await new Promise((resolve) => {
    connect({ host: "127.0.0.1", port: 9, localAddress: "192.0.2.1" }).once("error", resolve);
  });
  const found = classifyNetwork(error);
  assert.is(`${found?.fault} ${found?.kind}`, "bad-local-address never");
});

test("classifyNetwork() goes by code and syscall", () => {
  const of = (code: string, syscall = "connect") => {
    const found = classifyNetwork(Object.assign(new Error("text"), { code, syscall }));
    return found && `${found.fault} ${found.kind} ${found.detail}`;
  };
  assert.is(of("ENETUNREACH"), "unreachable reconnect ENETUNREACH");
  assert.is(of("EHOSTUNREACH"), "unreachable reconnect EHOSTUNREACH");
  assert.is(of("EAI_AGAIN", "getaddrinfo"), "resolver-down reconnect EAI_AGAIN");
  assert.is(of("ETIMEDOUT"), "dial-timeout reconnect ETIMEDOUT");
  assert.is(of("ETIMEDOUT", "read"), "closed reconnect ETIMEDOUT");
  assert.is(of("ECONNRESET", "read"), "reset reconnect ECONNRESET");
  assert.is(of("EPIPE", "write"), "closed reconnect EPIPE");
  assert.is(of("toString"), undefined);
  assert.is(classifyNetwork(AbortSignal.timeout(0).reason ?? new Error("none")), undefined);
});

test("classifyNetwork() of several addresses takes what helps soonest", () => {
  const one = (code: string) => Object.assign(new Error(code), { code });
  const all = new AggregateError([one("ENETUNREACH"), one("ECONNREFUSED")], "");
  assert.is(classifyNetwork(all)?.fault, "refused");
  assert.is(classifyNetwork(new AggregateError([one("EHOSTUNREACH")], ""))?.fault, "unreachable");
});

function timersOf(moved: ManualClock) {
  return {
    now: () => moved.now(),
    setTimeout: (callback: () => void, ms: number) => moved.setTimeout(callback, ms),
    clearTimeout: (id: unknown) => moved.clearTimeout(id as number),
  };
}
