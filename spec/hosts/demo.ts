import { readdirSync, readFileSync, statSync } from "node:fs";
import { join } from "node:path";
import { type Place, place, sidecanary } from "../cli/cli-kit.ts";
import { root } from "../kit/root.ts";
import type { RunResult } from "../kit/run-script.ts";
import { tempDir } from "../kit/temp-dir.ts";

/** A result of the command's JSON report. */
interface Result {
  readonly id: string;
  readonly status: string;
  readonly reason?: string;
  readonly command?: string;
  readonly exit_code: number | null;
  readonly duplicateOf?: string;
}

/** The command's JSON report. */
export interface Report {
  readonly end: string;
  readonly complete: boolean;
  readonly efficiency: number;
  readonly overheadMs: number;
  readonly sidecars: {
    readonly created: number;
    readonly destroyed: number;
    readonly left: readonly string[];
  };
  readonly warnings: readonly string[];
  readonly results: readonly Result[];
}

/** What the demo's variants come to, wherever they run. */
export const DEMO_VERDICTS = [
  "hours-rounded-down killed by test with 1",
  "days-for-free killed by test with 1",
  "negative-stay killed by test with 1",
  "spaces-from-zero killed by test with 1",
  "free-minutes-exclusive survived with 0",
  "no-daily-maximum survived with 0",
  "never-finds-a-space timeout by test with null",
  "daily-maximum-removed survived/duplicate with 0 as no-daily-maximum",
  "does-not-parse error/build-failed by syntax with 1",
  "changes-nothing error/no-op-patch with null",
  "of-an-older-version error/patch-rejected with null",
];

/** A copy of `examples/demo`, whose user has a home of their own. */
export async function demo(): Promise<Place> {
  return await withHome(await place(filesBelow(join(root(), "examples/demo"))));
}

/** The same place for a user with a home of their own. */
export async function withHome({ dir, env }: Place): Promise<Place> {
  return { dir, env: { ...env, HOME: await tempDir(), XDG_CACHE_HOME: undefined } };
}

/** Runs `sidecanary variants variants.json` to its end, with a longer patience than the CLI's specs. */
export function variants(
  at: Place,
  args: readonly string[],
  env: Place["env"] = {},
): Promise<RunResult> {
  return sidecanary(at, ["variants", "variants.json", ...args], { env });
}

/** The report on standard output; throws with standard error where there is none. */
export function reportOf({ stdout, stderr }: Pick<RunResult, "stdout" | "stderr">): Report {
  try {
    return JSON.parse(stdout) as Report;
  } catch (error) {
    throw new Error(`no report:\n${stdout}\n${stderr}`, { cause: error });
  }
}

/** What does not depend on where and how fast the variants ran. */
export function verdictsOf({ results }: Report): string[] {
  return results.map(({ id, status, reason, command, exit_code, duplicateOf }) =>
    `${id} ${status}${reason === undefined ? "" : `/${reason}`}` +
    `${command === undefined ? "" : ` by ${command}`} with ${exit_code}` +
    (duplicateOf === undefined ? "" : ` as ${duplicateOf}`)
  );
}

function filesBelow(dir: string, prefix = ""): Record<string, string> {
  const files: Record<string, string> = {};
  for (const name of readdirSync(join(dir, prefix)).sort()) {
    const path = join(prefix, name);
    if (statSync(join(dir, path)).isDirectory()) Object.assign(files, filesBelow(dir, path));
    else files[path] = readFileSync(join(dir, path), "utf8");
  }
  return files;
}
