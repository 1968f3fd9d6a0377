import { Buffer } from "node:buffer";
import { createHmac } from "node:crypto";
import { keyTypeOf } from "./wire.ts";

/** One line of a known_hosts file. */
export interface KnownHostsLine {
  readonly file: string;
  /** Counted from 1. */
  readonly line: number;
  readonly marker: "none" | "revoked" | "cert-authority";
  /** The first field: patterns, or one hashed name. */
  readonly names: string;
  /** In SSH's wire format. */
  readonly key: Uint8Array;
}

/** What a known_hosts file says, and which lines nobody could read. */
export interface KnownHostsFile {
  readonly lines: readonly KnownHostsLine[];
  /** Counted from 1. */
  readonly malformed: readonly number[];
}

/** Reads the format that sshd(8) describes under "SSH_KNOWN_HOSTS FILE FORMAT". */
export function parseKnownHosts(file: string, text: string): KnownHostsFile {
  const lines: KnownHostsLine[] = [];
  const malformed: number[] = [];
  for (const [index, content] of text.split("\n").entries()) {
    const trimmed = content.trim();
    if (trimmed === "" || trimmed.startsWith("#")) continue;
    const line = parseLine(file, index + 1, trimmed);
    if (line === undefined) malformed.push(index + 1);
    else lines.push(line);
  }
  return { lines, malformed };
}

function parseLine(file: string, line: number, text: string): KnownHostsLine | undefined {
  const fields = text.split(/[ \t]+/);
  const first = fields[0] ?? "";
  const marker = !first.startsWith("@")
    ? "none"
    : first === "@revoked"
    ? "revoked"
    : first === "@cert-authority"
    ? "cert-authority"
    : undefined;
  if (marker === undefined) return undefined;
  const [names, type, base64] = marker === "none" ? fields : fields.slice(1);
  if (names === undefined || type === undefined || base64 === undefined) return undefined;
  const key = Buffer.from(base64, "base64");
  return keyTypeOf(key) === type ? { file, line, marker, names, key } : undefined;
}

/**
 * Whether the first field of a line speaks of `name`: a host in small letters, or `[host]:port` where
 * the port is not 22. A pattern with `!` that fits rules the line out.
 */
export function namesMatch(names: string, name: string): boolean {
  if (names.startsWith("|")) return hashMatches(names, name);
  let matches = false;
  for (const each of names.toLowerCase().split(",")) {
    const negated = each.startsWith("!");
    if (!patternMatches(negated ? each.slice(1) : each, name)) continue;
    if (negated) return false;
    matches = true;
  }
  return matches;
}

/** The first field that says `name` to those only who know it already. */
export function hashName(name: string, salt: Uint8Array): string {
  const hash = createHmac("sha1", salt).update(name).digest("base64");
  return `|1|${Buffer.from(salt).toString("base64")}|${hash}`;
}

function hashMatches(names: string, name: string): boolean {
  const [, version, salt] = names.split("|");
  return version === "1" && salt !== undefined &&
    hashName(name, Buffer.from(salt, "base64")) === names;
}

/** `*` is any number of characters, `?` is one; brackets are themselves. Never exponential. */
function patternMatches(pattern: string, name: string): boolean {
  let at = 0, seen = 0, star = -1, resume = 0;
  while (seen < name.length) {
    const wanted = pattern[at];
    if (wanted === "*") [star, resume] = [at++, seen];
    else if (wanted === "?" || wanted === name[seen]) [at, seen] = [at + 1, seen + 1];
    else if (star >= 0) [at, seen] = [star + 1, ++resume];
    else return false;
  }
  while (pattern[at] === "*") at++;
  return at === pattern.length;
}
