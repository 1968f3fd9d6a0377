import { createHash } from "node:crypto";
import { type BytePath, fromText, toText } from "../../sync/byte-path.ts";
import type { IndexEntry } from "../../sync/index-file.ts";

/** The lock files of common package managers, at any depth of a payload. */
const COMMON = new Set([
  "package-lock.json",
  "npm-shrinkwrap.json",
  "pnpm-lock.yaml",
  "yarn.lock",
  "bun.lock",
  "bun.lockb",
  "deno.lock",
  "Cargo.lock",
  "go.sum",
  "poetry.lock",
  "uv.lock",
  "Pipfile.lock",
  "Gemfile.lock",
  "composer.lock",
  "mix.lock",
]);

const REQUIREMENTS = /^requirements.*\.txt$/;

/**
 * What a setup depends on, as one hash: its command, and name and content of its lock files. A named
 * file that the payload does not have counts as missing.
 *
 * @param lockFiles paths below the payload's root; `undefined` takes those of common package managers
 */
export function setupKey(
  command: string,
  lockFiles: readonly string[] | undefined,
  entries: Iterable<Pick<IndexEntry, "path" | "oid">>,
): string {
  const oids = new Map<BytePath, string>();
  for (const { path, oid } of entries) oids.set(path, oid);
  const paths = lockFiles === undefined
    ? [...oids.keys()].filter(isLockFile).sort()
    : [...new Set(lockFiles)].sort().map(fromText);
  const content = paths.map((path) => [toText(path), oids.get(path) ?? null]);
  return createHash("sha256").update(JSON.stringify([command, content])).digest("hex");
}

function isLockFile(path: BytePath): boolean {
  const name = path.slice(path.lastIndexOf("/") + 1);
  return COMMON.has(name) || REQUIREMENTS.test(name);
}
