import * as assert from "uvu/assert";
import { isSidecanaryError } from "../../runtime/errors.ts";
import { ManualClock } from "../kit/manual-clock.ts";
import {
  formatHostPort,
  isLoopback,
  parseListenAddress,
} from "../../runtime/serve/listen-address.ts";
import { matchRoute } from "../../runtime/serve/routes.ts";
import { TokenBucket } from "../../runtime/serve/token-bucket.ts";
import { parseTokens, TokenDesk } from "../../runtime/serve/tokens.ts";
import { suite } from "../harness.ts";

const test = suite("tokens");
const LONG = "0123456789abcdef";

test("parseTokens() reads names and tokens, and numbers those without a name", () => {
  const text = `# comment\n\nalice ${LONG}a\n  ${LONG}b  \r\nbob\t${LONG}c\n${LONG}d`;
  assert.equal(parseTokens(text, "file"), [
    { owner: "alice", secret: `${LONG}a` },
    { owner: "owner-2", secret: `${LONG}b` },
    { owner: "bob", secret: `${LONG}c` },
    { owner: "owner-4", secret: `${LONG}d` },
  ]);
});

const BAD = ["", "# only\n", "short", `a b ${LONG}`, `-x ${LONG}`, `${"n".repeat(65)} ${LONG}`];
for (const text of BAD) {
  test(`parseTokens() refuses ${JSON.stringify(text)} and does not repeat a token`, () => {
    try {
      parseTokens(text, "the file");
    } catch (error) {
      assert.ok(isSidecanaryError(error, "config-invalid"));
      assert.match(error.message, "the file");
      assert.not.match(error.message, LONG);
      return;
    }
    assert.unreachable();
  });
}

test("TokenDesk tells owners by their whole token; two tokens of a name are one owner", () => {
  const desk = new TokenDesk(parseTokens(`a ${LONG}1\nb ${LONG}2\na ${LONG}3`, "file"));
  assert.equal([1, 2, 3].map((each) => desk.ownerOf(`${LONG}${each}`)), ["a", "b", "a"]);
  for (const wrong of ["", LONG, `${LONG}4`, `${LONG}1 `, `${LONG}\0`]) {
    assert.is(desk.ownerOf(wrong), undefined);
  }
});

test("parseListenAddress() reads what formatHostPort() writes, and refuses the rest", () => {
  const known: [string, string, number][] = [
    ["127.0.0.1:80", "127.0.0.1", 80],
    ["8722", "127.0.0.1", 8722],
    [":8722", "127.0.0.1", 8722],
    ["[::1]:0", "::1", 0],
    ["build.example:65535", "build.example", 65_535],
  ];
  for (const [text, host, port] of known) {
    assert.equal(parseListenAddress(text), { host, port });
    assert.equal(parseListenAddress(formatHostPort({ host, port })), { host, port });
  }
  for (const text of ["", "a", "a:", "1:2:3", "::1:80", "a:65536", "a:-1", "a b:1", "http://a:1"]) {
    assert.throws(() => parseListenAddress(text), (error: unknown) => {
      return isSidecanaryError(error, "usage");
    }, text);
  }
});

test("isLoopback() knows the addresses that only this machine reaches", () => {
  assert.equal(["127.0.0.1", "127.9.9.9", "::1", "localhost"].map(isLoopback), [
    ...[true, true, true, true],
  ]);
  const beyond = ["0.0.0.0", "::", "10.0.0.1", "127.0.0.1.evil.example", "localhost.example"];
  assert.equal(beyond.map(isLoopback), beyond.map(() => false));
});

test("TokenBucket lets through so many at once, and as many within each minute after", () => {
  const clock = new ManualClock();
  const bucket = new TokenBucket(clock, 2);
  assert.equal([bucket.take(), bucket.take(), bucket.take()], [
    { ok: true },
    { ok: true },
    { ok: false, waitMs: 30_000 },
  ]);
  clock.advance(29_999);
  assert.is(bucket.take().ok, false);
  clock.advance(1);
  assert.is(bucket.take().ok, true);
  clock.advance(3_600_000);
  assert.equal([1, 2, 3].map(() => bucket.take().ok), [true, true, false]);
});

test("matchRoute() knows paths by their very characters", () => {
  const id = "00000000-0000-4000-8000-00000000000a";
  assert.is(matchRoute(`/i/${id}/ssh/tunnel`)?.id, id);
  assert.is(matchRoute("/api/v3/sidecar/instances?org_id=a%20b")?.query.get("org_id"), "a b");
  const none = [`/i/${id}/ssh/tunnel\n`, `/i/${id.toUpperCase()}/ssh/tunnel`, `/i/x/ssh/tunnel`];
  for (const target of [...none, "", "/", "/i", "/i//ssh/tunnel", "/i/../ssh/tunnel"]) {
    assert.is(matchRoute(target), undefined, target);
  }
});
