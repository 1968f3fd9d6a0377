import * as assert from "uvu/assert";
import { createServer } from "node:net";
import type { AddressInfo } from "node:net";
import { systemClock } from "../../../runtime/clock.ts";
import { suite } from "../../harness.ts";
import { failure, withApi } from "./api-kit.ts";

const test = suite("api-caller");

test("Retries504ThenSucceeds: a slow server is asked again", () =>
  withApi(async ({ fake, api, clock, signal }) => {
    fake.next("list", { status: 504 }, { status: 502 });
    assert.equal(await api.list(fake.org, false, signal), []);
    assert.is(fake.count("list"), 3);
    // Half of 50 ms and of 100 ms, as nothing is drawn on top.
    assert.equal(clock.waits, [25, 50]);
  }));

test("Retries504Exhausted: after three repetitions the status is the fault", () =>
  withApi(async ({ fake, api, clock, signal }) => {
    fake.always("list", { status: 504, body: { message: "agent is slow" } });
    const { fault, message } = await failure(api.list(fake.org, false, signal));
    assert.is(fault, "server-error reconnect 504");
    assert.match(message, "agent is slow");
    assert.is(fake.count("list"), 4);
    assert.equal(clock.waits, [25, 50, 100]);
  }));

test("501 is not asked again", () =>
  withApi(async ({ fake, api, signal }) => {
    fake.always("list", { status: 501 });
    assert.is((await failure(api.list(fake.org, false, signal))).fault, "server-error never 501");
    assert.is(fake.count("list"), 1);
  }));

test("RetryOn429 RetriesWithinBudget: Retry-After is obeyed while 30 s are not over", () =>
  withApi(async ({ fake, api, clock, signal }) => {
    const busy = (seconds: string) => ({ status: 429, headers: { "Retry-After": seconds } });
    fake.next("list", busy("10"), busy("5"), busy("0"), busy("1"), busy("1"));
    assert.equal(await api.list(fake.org, false, signal), []);
    assert.equal(clock.waits, [10_000, 5_000, 100, 1_000, 1_000]);
  }));

test("RetryOn429 BailsWhenRetryAfterExceedsBudget: a longer wait is the caller's to make", () =>
  withApi(async ({ fake, api, clock, signal }) => {
    fake.next(
      "list",
      { status: 429, headers: { "Retry-After": "20" } },
      { status: 429, headers: { "Retry-After": "11" } },
    );
    const { fault, error } = await failure(api.list(fake.org, false, signal));
    assert.is(fault, "rate-limited reconnect 429");
    assert.is((error.details as { retryAfterMs?: number }).retryAfterMs, 11_000);
    assert.equal(clock.waits, [20_000]);
  }));

test("RetryOn429 MessageContainsBackoffHint: the message says when to try again", () =>
  withApi(async ({ fake, api, clock, signal }) => {
    const date = new Date(clock.now() + 120_000).toUTCString();
    fake.always("list", { status: 429, headers: { "Retry-After": date } });
    assert.match((await failure(api.list(fake.org, false, signal))).message, "try again in 120 s");
  }));

test("RetryOn429: nobody is told to wait for longer than five minutes", () =>
  withApi(async ({ fake, api, signal }) => {
    fake.always("list", { status: 429, headers: { "Retry-After": "99999999999" } });
    const { error } = await failure(api.list(fake.org, false, signal));
    assert.is((error.details as { retryAfterMs?: number }).retryAfterMs, 300_000);
  }));

test("RetryOn429 without Retry-After is asked again three times", () =>
  withApi(async ({ fake, api, signal }) => {
    fake.always("list", { status: 429 });
    const { message } = await failure(api.list(fake.org, false, signal));
    assert.match(message, "try again later");
    assert.is(fake.count("list"), 4);
  }));

test("RetryOn429 5xxStillCapsAtThree: waits for the rate do not lengthen those for faults", () =>
  withApi(async ({ fake, api, signal }) => {
    fake.next("list", { status: 429, headers: { "Retry-After": "1" } });
    fake.always("list", { status: 500 });
    await failure(api.list(fake.org, false, signal));
    assert.is(fake.count("list"), 4);
  }));

for (const reply of ["drop", "cut"] as const) {
  test(`a reply that is lost (${reply}) is asked for again by list() and addKey()`, () =>
    withApi(async ({ fake, api, signal }) => {
      const instance = fake.put({ name: "one" });
      fake.next("list", { reply }, { reply });
      fake.next("add-key", { reply });
      assert.is((await api.list(fake.org, false, signal)).length, 1);
      await api.addKey(instance.id, "line", signal);
      assert.is(fake.count("list"), 3);
      assert.is(fake.count("add-key"), 2);
      assert.equal(instance.keys, ["line"]);
    }));
}

test("a server that answers nothing but dropped connections is a reset", () =>
  withApi(async ({ fake, api, signal }) => {
    fake.always("list", { reply: "drop" });
    assert.is(
      (await failure(api.list(fake.org, false, signal))).fault,
      "reset reconnect ECONNRESET",
    );
    assert.is(fake.count("list"), 4);
  }));

test("a whole call ends after 60 s and names what it waited for", () =>
  withApi(async ({ fake, api, clock, signal }) => {
    fake.always("list", { reply: "hang" });
    const started = clock.now();
    const failed = failure(api.list(fake.org, false, signal));
    await fake.seen("list");
    clock.expire();
    const { fault, message } = await failed;
    assert.is(fault, "dial-timeout reconnect timeout");
    assert.match(message, "CircleCI did not answer within 60 s");
    assert.is(clock.now() - started, 60_000);
    assert.is(fake.count("list"), 1);
  }));

test("an abort ends a call with the signal's own reason", () =>
  withApi(async ({ fake, api }) => {
    fake.always("list", { reply: "hang" });
    const controller = new AbortController();
    const listing = api.list(fake.org, false, controller.signal).catch((error) => error);
    await fake.seen("list");
    const reason = new Error("enough");
    controller.abort(reason);
    assert.is(await listing, reason);
    assert.is(await api.me(controller.signal).catch((error) => error), reason);
    assert.is(fake.count("me"), 0);
  }));

test("a redirect is not followed, as the token would go with it", () =>
  withApi(async ({ fake, api, signal }) => {
    const headers = { Location: `${fake.url}/api/v2/me` };
    fake.always("list", { status: 302, headers });
    assert.is((await failure(api.list(fake.org, false, signal))).fault, "bad-response never 302");
    assert.is(fake.requests.length, 1);
  }));

test("an answer without an end is refused", () =>
  withApi(async ({ fake, api, signal }) => {
    fake.always("list", { status: 200, body: "x".repeat(9 * 1024 * 1024) });
    const { fault, message } = await failure(api.list(fake.org, false, signal));
    assert.is(fault, "bad-response never 200");
    assert.match(message, "more than 8388608 bytes");
  }));

test("a port where nothing listens is refused, and asked again before that is said", async () => {
  const server = createServer();
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  const { port } = server.address() as AddressInfo;
  await new Promise((resolve) => server.close(resolve));
  await withApi(async ({ api, clock, signal }) => {
    const { fault, message } = await failure(api.me(signal));
    assert.is(fault, "refused while-booting ECONNREFUSED");
    assert.match(message, `127.0.0.1:${port}`);
    assert.is(clock.waits.length, 3);
  }, { baseUrl: `http://127.0.0.1:${port}` });
});

test("a server that speaks no TLS is no matter of waiting", () =>
  withApi(async ({ fake, clientWith }) => {
    const { port } = new URL(fake.url);
    await withApi(async ({ api, clock, signal }) => {
      assert.match((await failure(api.me(signal))).fault, /^tls never E/);
      assert.equal(clock.waits, []);
    }, { baseUrl: `https://127.0.0.1:${port}` });
    assert.ok(clientWith(systemClock));
  }));

test("something else than HTTP is no answer", async () => {
  const server = createServer((socket) =>
    socket.on("error", () => {}).resume().end("SSH-2.0-x\r\n\r\n")
  );
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  try {
    const { port } = server.address() as AddressInfo;
    await withApi(async ({ api, signal }) => {
      assert.match((await failure(api.me(signal))).fault, "bad-response never HPE_");
    }, { baseUrl: `http://127.0.0.1:${port}` });
  } finally {
    await new Promise((resolve) => server.close(resolve));
  }
});

test("a base address keeps its path, with and without a slash at its end", () =>
  withApi(async ({ fake }) => {
    await withApi(async ({ api, signal }) => {
      await failure(api.me(signal));
    }, { baseUrl: `${fake.url}/proxy/` });
    assert.is(fake.requests[0]?.path, "/proxy/api/v2/me");
  }));

const DEPRECATIONS: readonly (readonly [string, Readonly<Record<string, string>>, string])[] = [
  ["Deprecation", { Deprecation: "@1767225600" }, "is deprecated: look"],
  ["Sunset", { Sunset: "Tue, 02 Jun 2026 00:00:00 GMT" }, "ends on 2026-06-02"],
  ["both", { Deprecation: "true", Sunset: "soon" }, "is deprecated: look"],
];

for (const [what, headers, text] of DEPRECATIONS) {
  test(`Deprecation warnings: ${what} gives one warning for all calls`, () =>
    withApi(async ({ fake, api, warnings, signal }) => {
      fake.always("list", { times: 1, headers });
      await api.list(fake.org, false, signal);
      await api.list(fake.org, false, signal);
      assert.is(warnings.length, 1);
      assert.match(warnings[0] ?? "", text);
    }));
}

test("Deprecation warnings: none without these headers", () =>
  withApi(async ({ fake, api, warnings, signal }) => {
    await api.list(fake.org, false, signal);
    assert.equal(warnings, []);
  }));
