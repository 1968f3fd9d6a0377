import { createServer, type RequestListener, type Server } from "node:http";
import { createServer as createTcpServer } from "node:net";
import { join } from "node:path";
import * as assert from "uvu/assert";
import { systemClock } from "../../../runtime/clock.ts";
import type { Clock } from "../../../runtime/clock.ts";
import { isSidecanaryError } from "../../../runtime/errors.ts";
import type { HostFaultDetails } from "../../../runtime/host-fault.ts";
import { ContainerApi } from "../../../runtime/sidecars/container/container-api.ts";
import { containerEndpoints } from "../../../runtime/sidecars/container/container-endpoint.ts";
import { findService } from "../../../runtime/sidecars/container/find-service.ts";
import { createContainerHosts } from "../../../runtime/sidecars/container/container-hosts.ts";
import { suite } from "../../harness.ts";
import { ManualClock } from "../../kit/manual-clock.ts";
import { tempDir } from "../../kit/temp-dir.ts";

const test = suite("container api");
const never = new AbortController().signal;
const CALL = { method: "GET", path: "/_ping", during: "asking", signal: never } as const;

async function failureOf(
  work: Promise<unknown>,
): Promise<{ message: string; details: HostFaultDetails }> {
  try {
    await work;
  } catch (error) {
    if (isSidecanaryError(error, "host-failed")) return error;
    throw error;
  }
  throw new Error("it did not fail");
}

/** A service of this test's own on a socket. */
async function service(
  listener: RequestListener,
  work: (api: ContainerApi, socket: string) => Promise<void>,
  clock: Clock = systemClock,
): Promise<void> {
  const socket = join(await tempDir(), "api.sock");
  const server: Server = createServer(listener);
  await new Promise<void>((resolve) => server.listen(socket, resolve));
  try {
    await work(new ContainerApi({ name: socket, at: { socketPath: socket } }, clock), socket);
  } finally {
    server.closeAllConnections();
    await new Promise((resolve) => server.close(resolve));
  }
}

test("call() answers every status with its body, JSON or not", async () => {
  await service((request, response) => {
    const url = new URL(request.url ?? "", "http://docker");
    if (url.pathname === "/_ping") return void response.end("OK");
    response.statusCode = 418;
    response.end(JSON.stringify([request.method, ...url.searchParams]));
  }, async (api) => {
    assert.equal(await api.call(CALL), { status: 200, body: "OK" });
    const query = { a: "b c&d" };
    const answer = await api.call({ ...CALL, method: "DELETE", path: "/json", query });
    assert.equal(answer, { status: 418, body: ["DELETE", ["a", "b c&d"]] });
  });
});

test("call() to a service that does not answer in time is frozen", async () => {
  const clock = new ManualClock();
  await service(() => clock.advance(60_000), async (api) => {
    const { details } = await failureOf(api.call(CALL));
    assert.equal([details.fault, details.kind, details.detail], ["frozen", "reconnect", 60_000]);
  }, clock as Clock);
  assert.is(clock.waiting, 0);
});

test("call() whose answer is cut off is reset", async () => {
  await service((_request, response) => {
    response.writeHead(200, { "content-length": "100" });
    response.write("half", () => response.socket?.destroy());
  }, async (api) => {
    const { details } = await failureOf(api.call(CALL));
    assert.equal([details.fault, details.kind], ["reset", "reconnect"]);
  });
});

test("call() to something that speaks no HTTP is protocol", async () => {
  const socket = join(await tempDir(), "odd.sock");
  const server = createTcpServer((client) => client.end("SSH-2.0-odd\r\n"));
  await new Promise<void>((resolve) => server.listen(socket, resolve));
  const api = new ContainerApi({ name: socket, at: { socketPath: socket } }, systemClock);
  const { details } = await failureOf(api.call(CALL));
  assert.equal([details.fault, details.kind], ["protocol", "never"]);
  server.close();
});

test("hijack() through a proxy that hands on no upgrade is protocol", async () => {
  await service((_request, response) => response.end("hello"), async (api) => {
    const { details } = await failureOf(api.hijack({ ...CALL, method: "POST" }));
    assert.equal([details.fault, details.kind, details.detail], ["protocol", "never", 200]);
  });
});

test("lines() hands over lines however they are cut, and the body of an error", async () => {
  await service((request, response) => {
    if (request.url === "/no") {
      response.statusCode = 500;
      return void response.end('{"message":"no"}');
    }
    response.write('{"a":');
    response.write('1}\r\n{"a":2}\n\n{"a"');
    response.end(":3}");
  }, async (api) => {
    const lines: unknown[] = [];
    const answer = await api.lines(CALL, (line) => lines.push(line));
    assert.equal([answer.status, lines], [200, [{ a: 1 }, { a: 2 }, { a: 3 }]]);
    const refused = await api.lines({ ...CALL, path: "/no" }, () => assert.unreachable());
    assert.equal(refused, { status: 500, body: { message: "no" } });
  });
});

test("findService() takes the first that answers", async () => {
  const dir = await tempDir();
  await service((_request, response) => response.end("OK"), async (_api, socket) => {
    const endpoints = [join(dir, "none.sock"), socket].map((socketPath) => ({
      name: socketPath,
      at: { socketPath },
    }));
    assert.is((await findService(endpoints, systemClock, never)).service, socket);
  });
});

test("a provider without any service says what was tried and what to start", async () => {
  const dir = await tempDir();
  const socket = join(dir, "none.sock");
  const provider = createContainerHosts({ image: "debian", socket });
  const { message, details } = await failureOf(provider.list(never));
  assert.equal([details.fault, details.kind], ["refused", "never"]);
  assert.match(message, `unix://${socket} (ENOENT)`);
  assert.match(message, "sudo systemctl start docker");
  assert.match(message, "podman.socket");
});

test("a service that answers with an error keeps that error", async () => {
  await service((_request, response) => {
    response.statusCode = 503;
    response.end('{"message":"starting up"}');
  }, async (_api, socket) => {
    const endpoints = await containerEndpoints(socket, {});
    const { message, details } = await failureOf(findService(endpoints, systemClock, never));
    assert.equal([details.fault, details.kind, details.detail], ["server-error", "reconnect", 503]);
    assert.match(message, "starting up");
  });
});
