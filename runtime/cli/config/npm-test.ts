import { existsSync } from "node:fs";
import { dirname, join } from "node:path";
import type { ProjectCommand } from "../../variants/campaign-request.ts";
import { findUp, foldersUp } from "./find-up.ts";
import { readJson } from "./read-json.ts";

/** The `test` script of a package. */
export interface NpmTest {
  readonly path: string;
  readonly folder: string;
  /** `undefined` where there is no script that tests anything. */
  readonly command: ProjectCommand | undefined;
}

/** The first lock file that is found decides; `bun test` would be bun's own runner. */
const MANAGERS: readonly (readonly [lock: string, run: string])[] = [
  ["pnpm-lock.yaml", "pnpm test"],
  ["yarn.lock", "yarn test"],
  ["bun.lock", "bun run test"],
  ["bun.lockb", "bun run test"],
  ["package-lock.json", "npm test"],
  ["npm-shrinkwrap.json", "npm test"],
];

/**
 * The `test` script of the nearest package.json, run by the package manager whose lock file is
 * beside it or above.
 *
 * @throws SidecanaryError `config-invalid` where package.json is no JSON
 */
export function npmTest(cwd: string): NpmTest | undefined {
  const path = findUp(cwd, "package.json");
  if (path === undefined) return undefined;
  const folder = dirname(path);
  const script = scriptOf(readJson(path));
  // What `npm init` writes; it fails for every variant.
  if (script === undefined || script.trim() === "" || /no test specified/.test(script)) {
    return { path, folder, command: undefined };
  }
  const run = managerOf(folder);
  return { path, folder, command: { name: run, run } };
}

function scriptOf(value: unknown): string | undefined {
  const script = (value as { scripts?: { test?: unknown } } | null)?.scripts?.test;
  return typeof script === "string" ? script : undefined;
}

function managerOf(folder: string): string {
  for (const at of foldersUp(folder)) {
    for (const [lock, run] of MANAGERS) if (existsSync(join(at, lock))) return run;
  }
  return "npm test";
}
