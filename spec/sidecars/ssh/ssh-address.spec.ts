import fc from "fast-check";
import * as assert from "uvu/assert";
import { isSidecanaryError } from "../../../runtime/errors.ts";
import { parseJump } from "../../../runtime/sidecars/ssh/parse-jump.ts";
import {
  addressKey,
  parseSshTarget,
  showAddress,
} from "../../../runtime/sidecars/ssh/ssh-address.ts";
import { suite } from "../../harness.ts";
import { check } from "../../kit/check.ts";

const test = suite("parseSshTarget()");

function refusal(text: string): string {
  try {
    parseSshTarget(text);
  } catch (error) {
    if (error instanceof RangeError) return error.message;
    throw error;
  }
  throw new Error(`taken: ${text}`);
}

test("parseSshTarget() reads every part, and leaves out what is not there", () => {
  assert.equal(parseSshTarget("ssh://build1"), { scheme: "ssh", host: "build1" });
  assert.equal(parseSshTarget("SSH://me@build_1:2222/?lanes=4&identity=~/keys/a+b%20c"), {
    scheme: "ssh",
    host: "build_1",
    port: 2222,
    user: "me",
    lanes: 4,
    identity: "~/keys/a+b c",
  });
  assert.equal(parseSshTarget("ssh://[2001:db8::1]:22"), {
    scheme: "ssh",
    host: "2001:db8::1",
    port: 22,
  });
  assert.equal(parseSshTarget("ssh://a%40b.c@h"), { scheme: "ssh", host: "h", user: "a@b.c" });
  assert.equal(parseSshTarget("ssh://Build1").host, "Build1");
});

test("parseSshTarget() reads a tunnel", () => {
  assert.equal(parseSshTarget("wss://user@sidecar.example.com/ssh/tunnel?lanes=2"), {
    scheme: "wss",
    host: "sidecar.example.com",
    user: "user",
    path: "/ssh/tunnel",
    lanes: 2,
  });
  assert.equal(parseSshTarget("ws://[::1]:8080").port, 8080);
});

for (
  const [text, what] of [
    ["build1", "does not begin with ssh://"],
    ["http://build1", "does not begin with ssh://"],
    ["ssh://", "names no host"],
    ["ssh://me@", "is no URL"],
    ["ssh://h:99999", "is no URL"],
    ["ssh://h:port", "is no URL"],
    ["ssh://h:0", "has the port 0"],
    ["ssh://[::1", "is no URL"],
    ["ssh://-oProxyCommand=x", "has a character in its host"],
    ["ssh://a%20b", "has a character in its host"],
    ["ssh://a%zz@h", 'has a "%" in its user'],
    ["ssh://h/path", 'has a path, "/path"'],
    ["ssh://h#part", 'has a "#"'],
    ["ssh://h?lanes=0", "lanes=0, which is no number from 1"],
    ["ssh://h?lanes=257", "lanes=257"],
    ["ssh://h?lanes=2&lanes=3", 'has "lanes" twice'],
    ["ssh://h?identity=", "names no file"],
    ["ssh://h?identiy=a", 'unknown parameter, "identiy"'],
  ] as const
) {
  test(`parseSshTarget() refuses ${text}: ${what}`, () => assert.match(refusal(text), what));
}

test("parseSshTarget() shows neither a user nor a password", () => {
  const message = refusal("ssh://token:secret@host");
  assert.match(message, "holds a password");
  assert.not.match(message, "secret");
  assert.not.match(message, "token");
  assert.not.match(showAddress(parseSshTarget("ssh://token@host:2222")), "token");
});

test("addressKey() tells addresses apart by user, and hosts by port", () => {
  const keys = ["ssh://h", "ssh://a@h", "ssh://h:2222", "wss://h", "ssh://g"].map((text) =>
    addressKey(parseSshTarget(text))
  );
  assert.is(new Set(keys).size, keys.length);
  assert.is(
    addressKey(parseSshTarget("ssh://h?lanes=3")),
    addressKey(parseSshTarget("ssh://h?identity=a")),
  );
});

test("any user and any identity are read as they are written", () =>
  check(fc.property(
    fc.string({ unit: "grapheme", minLength: 1 }).filter((text) => !/[\0\r\n]/.test(text)),
    fc.string({ unit: "grapheme", minLength: 1 }),
    fc.integer({ min: 1, max: 65535 }),
    (user, identity, port) => {
      const text = `ssh://${encodeURIComponent(user)}@h:${port}?identity=${
        encodeURIComponent(identity)
      }`;
      assert.equal(parseSshTarget(text), { scheme: "ssh", host: "h", user, port, identity });
    },
  )));

test("parseJump() reads what ProxyJump takes", () => {
  assert.equal(parseJump("me@gate:2222", "h"), {
    scheme: "ssh",
    host: "gate",
    port: 2222,
    user: "me",
  });
  assert.equal(parseJump("a@b@gate", "h"), { scheme: "ssh", host: "gate", user: "a@b" });
  assert.equal(parseJump("ssh://[::1]:22", "h"), { scheme: "ssh", host: "::1", port: 22 });
  try {
    parseJump("gate:none", "h");
    assert.unreachable();
  } catch (error) {
    assert.ok(isSidecanaryError(error, "host-failed"));
    assert.match((error as Error).message, "The ProxyJump to h is malformed");
  }
});
