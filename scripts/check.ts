import { readFile } from "node:fs/promises";
import { homedir } from "node:os";
import { dirname, extname, join } from "node:path";
import process from "node:process";
import { ROOT, walk } from "./files.ts";
import { layerViolations } from "./layers.ts";
import { run } from "./run.ts";

/** What a step has to say: nothing when it is green. */
type Step = () => Promise<string | undefined>;

const LONG_FILE = 300;

// Folders that hold many things, so that naming one says nothing of this machine.
const COMMON = ["/", "/tmp", "/root", "/home", "/opt", "/srv", "/usr", "/var", "/app", "/builds"];

const BINARY = [".png", ".jpg", ".gif", ".ico", ".woff2", ".gz", ".tgz", ".zip"];

const STEPS: Readonly<Record<string, Step>> = {
  "deno fmt": () => command(process.execPath, ["fmt", "--check"]),
  "deno lint": () => command(process.execPath, ["lint", "--quiet"]),
  "oxlint, with types": () =>
    command(join(ROOT, "node_modules/.bin/oxlint"), ["--type-aware", "--quiet", "."]),
  "layers": layers,
  "deno check": () => command(process.execPath, ["check", "--quiet", "."]),
  "tsc": () => tsc("."),
  "tsc machines": () => tsc("machines"),
  "no path of this machine": noLocalPath,
};

await main();

/** Runs every step, also after a failed one, and ends with `N passed, N failed`. */
async function main(): Promise<void> {
  let failed = 0;
  for (const [name, step] of Object.entries(STEPS)) {
    const start = performance.now();
    const problem = await step();
    const time = `${((performance.now() - start) / 1000).toFixed(1)} s`;
    console.log(`${problem === undefined ? "ok  " : "FAIL"} ${name} (${time})`);
    if (problem === undefined) continue;
    failed++;
    console.log(problem);
  }
  for (const line of await longFiles()) console.log(`long ${line}`);
  console.log(`${Object.keys(STEPS).length - failed} passed, ${failed} failed`);
  process.exitCode = failed === 0 ? 0 : 1;
}

async function command(name: string, args: readonly string[]): Promise<string | undefined> {
  const { code, signal, output } = await run(name, args, { cwd: ROOT, env: { NO_COLOR: "1" } });
  return code === 0 ? undefined : `${output}ended with ${signal ?? code}`;
}

function tsc(project: string): Promise<string | undefined> {
  const bin = join(ROOT, "node_modules/typescript/bin/tsc");
  return command(process.execPath, ["run", "-A", bin, "-p", project]);
}

async function layers(): Promise<string | undefined> {
  const files = new Map<string, string>();
  for (const path of await sources()) files.set(path, await readFile(join(ROOT, path), "utf8"));
  const found = layerViolations(files).map(({ file, line, specifier, reason }) =>
    `${file}:${line} imports "${specifier}": ${reason}`
  );
  return found.length === 0 ? undefined : found.join("\n");
}

/** A path of the machine it was written on tells a reader nothing, and fails on his. */
async function noLocalPath(): Promise<string | undefined> {
  const local = [ROOT, dirname(ROOT), homedir()].filter((path) => !COMMON.includes(path));
  const pattern = new RegExp(`(?<![\\w.-])(${local.map(escapeRegExp).join("|")})(/|\\b)`);
  const found: string[] = [];
  for (const path of await tracked()) {
    const text = await readFile(join(ROOT, path), "utf8");
    for (const [index, line] of text.split("\n").entries()) {
      if (pattern.test(line)) found.push(`${path}:${index + 1} ${line.trim().slice(0, 120)}`);
    }
    if (path === "package-lock.json" && text.includes('"resolved":')) {
      found.push(`${path} names a registry: npm config set omit-lockfile-registry-resolved true`);
    }
  }
  return found.length === 0 ? undefined : found.join("\n");
}

async function longFiles(): Promise<string[]> {
  const found: string[] = [];
  for (const path of await sources()) {
    const lines = (await readFile(join(ROOT, path), "utf8")).split("\n").length - 1;
    if (lines > LONG_FILE) found.push(`${path} has ${lines} lines`);
  }
  return found;
}

async function sources(): Promise<string[]> {
  const all = await Promise.all(
    ["machines", "runtime", "spec", "scripts"].map((dir) => walk(ROOT, dir)),
  );
  return all.flat().filter((path) => /\.tsx?$/.test(path));
}

/** Text files that git knows; without a repository there is nothing to publish from. */
async function tracked(): Promise<string[]> {
  const { code, output } = await run("git", ["ls-files", "-z"], { cwd: ROOT });
  if (code !== 0) throw new Error(`git ls-files ended with ${code}: ${output}`);
  const present = new Set(await walk(ROOT, "."));
  return output.split("\0").filter((path) =>
    present.has(`./${path}`) && !BINARY.includes(extname(path))
  );
}

function escapeRegExp(text: string): string {
  return text.replace(/[.*+?^${}()|[\]\\]/g, "\\$&");
}
