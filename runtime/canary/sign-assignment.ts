import { createHmac, timingSafeEqual } from "node:crypto";
import { Buffer } from "node:buffer";
import * as v from "valibot";
import { SidecanaryError } from "../errors.ts";
import type { Assignment } from "./assignment.ts";

const VERSION = "sca1";
const SHORTEST = 16;
const DIGEST_BYTES = 32;

const text = v.pipe(v.string(), v.nonEmpty());
const count = v.pipe(v.number(), v.safeInteger(), v.minValue(0));

const assignment = v.pipe(
  v.string(),
  v.parseJson(),
  v.strictObject({
    stream: text,
    unit: text,
    version: text,
    arm: v.picklist(["canary", "current", "other"]),
    reason: v.picklist(["split", "no-canary", "pin", "override"]),
    candidate: v.nullable(text),
    trial: v.nullable(count),
    step: v.nullable(count),
    propensity: v.nullable(v.pipe(v.number(), v.gtValue(0), v.ltValue(1))),
    revision: count,
  }),
);

/**
 * An assignment as one line of text that can leave the process: `sca1.<base64url of the JSON>.<base64url
 * of its HMAC-SHA256>`. It is signed, not hidden: the unit can be read from it.
 *
 * @param secret at least 16 characters
 * @throws {SidecanaryError} `config-invalid` when the secret is shorter
 */
export function signAssignment(assignment: Assignment, secret: string): string {
  const body = Buffer.from(JSON.stringify(assignment)).toString("base64url");
  return `${VERSION}.${body}.${macOf(body, secret).toString("base64url")}`;
}

/**
 * Reads a signed assignment, and refuses one that was altered or made by somebody else. The
 * comparison takes the same time wherever the difference is.
 *
 * @param secrets the one that is signed with now, and those of before
 * @throws {SidecanaryError} `input-invalid` when it is none, or was altered; `config-invalid` when a
 * secret is too short
 */
export function readAssignment(token: string, ...secrets: readonly string[]): Assignment {
  const [version, body = "", signature = "", ...more] = token.split(".");
  if (version !== VERSION || body === "" || signature === "" || more.length > 0) {
    throw refused("is not one of signAssignment's", "token");
  }
  const given = Buffer.from(signature, "base64url");
  // base64url leaves spare bits: only the spelling that signing makes is taken.
  const isWhole = given.length === DIGEST_BYTES && given.toString("base64url") === signature;
  let isOurs = false;
  for (const secret of secrets) {
    const mac = macOf(body, secret);
    if (isWhole && timingSafeEqual(mac, given)) isOurs = true;
  }
  if (!isOurs) throw refused("was altered, or signed with another secret", "signature");
  const parsed = v.safeParse(assignment, Buffer.from(body, "base64url").toString());
  if (!parsed.success) {
    throw refused("was signed by another version of sidecanary", "body");
  }
  return parsed.output;
}

function macOf(body: string, secret: string): Buffer {
  if (secret.length < SHORTEST) {
    throw new SidecanaryError(
      "config-invalid",
      `The secret for assignments has fewer than ${SHORTEST} characters; make a longer one.`,
      { path: "assignment secret", field: "secret" },
    );
  }
  return createHmac("sha256", secret).update(`${VERSION}.${body}`).digest();
}

function refused(why: string, field: string): SidecanaryError {
  return new SidecanaryError(
    "input-invalid",
    `Cannot use the assignment: it ${why}. Route the unit again.`,
    { source: "assignment", field },
  );
}
