import * as assert from "uvu/assert";
import { createHmac } from "node:crypto";
import { Buffer } from "node:buffer";
import type { Assignment } from "../../runtime/canary/assignment.ts";
import { readAssignment, signAssignment } from "../../runtime/canary/sign-assignment.ts";
import { isSidecanaryError } from "../../runtime/errors.ts";
import { suite } from "../harness.ts";

const test = suite("canary/sign-assignment");

const secret = "a secret of enough length";
const assignment: Assignment = {
  stream: "planner",
  unit: "grüße/😀",
  version: "planner@v8",
  arm: "canary",
  reason: "split",
  candidate: "planner@v8",
  trial: 1,
  step: 0,
  propensity: 0.1,
  revision: 7,
};

/** The field that `token` is refused for. */
function refusedFor(token: string): string | undefined {
  try {
    readAssignment(token, secret);
  } catch (error) {
    assert.ok(isSidecanaryError(error, "input-invalid"), String(error));
    assert.not(error.message.includes(secret));
    return error.details.field;
  }
  return undefined;
}

test("readAssignment gives back what signAssignment signed, also with an older secret", () => {
  const token = signAssignment(assignment, secret);
  assert.match(token, /^sca1\.[\w-]+\.[\w-]{43}$/);
  assert.equal(readAssignment(token, secret), assignment);
  assert.equal(readAssignment(token, "the secret of today", secret), assignment);
});

test("an assignment that was altered in any place is refused", () => {
  const token = signAssignment(assignment, secret);
  for (let at = 0; at < token.length; at++) {
    const other = token[at] === "A" ? "B" : "A";
    const altered = token.slice(0, at) + other + token.slice(at + 1);
    assert.ok(refusedFor(altered) !== undefined, `position ${at}`);
  }
  const [version, body = "", mac] = token.split(".");
  const better = { ...assignment, propensity: 0.9 };
  const forged = Buffer.from(JSON.stringify(better)).toString("base64url");
  assert.is(refusedFor(`${version}.${forged}.${mac}`), "signature");
  assert.is(refusedFor(`${version}.${body}.${mac}A`), "signature");
  // 32 bytes leave bits of the last character free: only one spelling is taken.
  const alphabet = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";
  const taken = [...alphabet].filter((last) => refusedFor(token.slice(0, -1) + last) === undefined);
  assert.equal(taken, [token.at(-1)]);
  assert.is(refusedFor(`${token}.x`), "token");
  assert.is(refusedFor(""), "token");
  assert.is(refusedFor(`${version}.${body}.`), "token");
});

test("an assignment of another secret, or without any, is refused", () => {
  const token = signAssignment(assignment, "another secret than ours");
  assert.is(refusedFor(token), "signature");
  assert.throws(() => readAssignment(token), /altered/);
});

test("something else that was signed with our secret is refused", () => {
  for (const content of ["no json", "{}", JSON.stringify({ ...assignment, propensity: 1 })]) {
    const body = Buffer.from(content).toString("base64url");
    const mac = createHmac("sha256", secret).update(`sca1.${body}`).digest("base64url");
    assert.is(refusedFor(`sca1.${body}.${mac}`), "body");
  }
});

test("a short secret is refused, and not shown", () => {
  for (
    const act of [
      () => signAssignment(assignment, "short"),
      () => readAssignment("sca1.e30.AA", "short"),
    ]
  ) {
    try {
      act();
      assert.unreachable();
    } catch (error) {
      assert.ok(isSidecanaryError(error, "config-invalid"));
      assert.not(error.message.includes("short;"));
    }
  }
});
