import * as assert from "uvu/assert";
import { serverMessage, toldByText } from "../../../runtime/sidecars/circleci/server-message.ts";
import { statusFault } from "../../../runtime/sidecars/circleci/status-fault.ts";
import { retryAfterMs } from "../../../runtime/ssh/retry-after.ts";
import { suite } from "../../harness.ts";

const test = suite("status-fault");

const MESSAGES: readonly (readonly [string, string, string | undefined])[] = [
  ["V3's error object", '{"error":{"id":"trace","title":"quota is used up"}}', "quota is used up"],
  ["an error that is a text", '{"error":"no such thing"}', "no such thing"],
  ["a message", '{"message":"You must log in first."}', "You must log in first."],
  ["a page", "<html>Bad gateway</html>", undefined],
  ["no text in it", '{"error":{"id":"trace"},"message":5}', undefined],
  ["control characters", '{"message":"a\\u001b[31m\\nb"}', "a [31m b"],
  ["too much text", `{"message":"${"x".repeat(400)}"}`, `${"x".repeat(300)}…`],
];

for (const [what, body, message] of MESSAGES) {
  test(`ExtractServerMessage: serverMessage() of ${what}`, () => {
    assert.is(serverMessage(body), message);
  });
}

/** The texts as the API has them; a change of its words fails nothing here, but makes this the place. */
const TEXTS: readonly (readonly [number, string, string | undefined])[] = [
  [404, "Route Not Found", "route-not-found"],
  [404, "sidecar not found", undefined],
  [409, "sidecar is paused", "paused"],
  [409, "conflict", undefined],
  [410, "Sidecar is out of date, create a new one", "sidecar-outdated"],
  [410, "upgrade your CLI", undefined],
  [400, "Route not found, sidecar is paused", undefined],
];

for (const [status, text, code] of TEXTS) {
  test(`toldByText() of ${status} "${text}" is ${code}`, () => {
    assert.is(toldByText(status, text), code);
  });
}

function fault(status: number, body: unknown = {}, instance = true): string {
  const found = statusFault({ status, headers: {}, body: JSON.stringify(body) }, {
    what: "Adding a key to sidecar sc-1",
    host: "sc-1",
    service: "CircleCI",
    tokenSource: "CIRCLE_TOKEN",
    token: "secret-token",
    instance,
    retryAfterMs: undefined,
  });
  if (found === undefined) return "fine";
  const { fault, kind, host } = found.details;
  return `${fault} ${kind} ${host}: ${found.message}`;
}

test("statusFault() of 2xx is none", () => {
  for (const status of [200, 201, 202, 204]) assert.is(fault(status), "fine");
});

test("SidecarGone: 404 of a sidecar means another one; a route that is not found does not", () => {
  assert.match(fault(404), "not-found reconnect");
  assert.match(fault(404, {}, false), "not-found never");
  assert.match(fault(404, { message: "Route Not Found" }), "client-outdated never");
});

test("SidecarPaused: 409 paused means another sidecar; another 409 does not", () => {
  assert.match(fault(409, { error: "the sidecar is paused" }), "paused reconnect");
  assert.match(fault(409, { error: "conflict" }), "bad-request never");
});

test("GoneErrorDistinguishesStaleSidecarFromStaleCLI: 410 has two meanings", () => {
  assert.match(fault(410, { error: { title: "sidecar is out of date" } }), "outdated reconnect");
  assert.match(fault(410, { error: { title: "gone" } }), "client-outdated never");
});

test("SidecarUnavailableNamesTheSidecarAndTheRemedy", () => {
  assert.match(fault(409, { error: "paused" }), /sc-1.*must be replaced/);
});

test("OutdatedSidecarAPIPointsTheRightWay", () => {
  assert.match(fault(410), "This version of sidecanary is too old");
  assert.match(fault(410, { error: "sidecar is out of date" }), "It is too old for the API");
});

test("ExecSurfacesServerMessage: a message holds the server's words, without the token", () => {
  assert.match(fault(400, { message: "bad key secret-token" }), "answered 400: bad key [token].");
});

const RETRY_AFTER: readonly (readonly [string | undefined, number | undefined])[] = [
  [undefined, undefined],
  ["7", 7_000],
  ["0", 0],
  ["soon", undefined],
  ["Thu, 01 Jan 2026 00:01:00 GMT", 60_000],
  ["Wed, 31 Dec 2025 00:00:00 GMT", 0],
];

for (const [header, ms] of RETRY_AFTER) {
  test(`ParseRetryAfter: "${header}" is ${ms} ms`, () => {
    assert.is(retryAfterMs(header, Date.UTC(2026, 0, 1)), ms);
  });
}
