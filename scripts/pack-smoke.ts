import { mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import process from "node:process";
import { ROOT } from "./files.ts";
import { run, type RunResult } from "./run.ts";

interface Step {
  readonly name: string;
  /** Throws when the package does not do what is said in the name. */
  readonly body: () => Promise<void>;
}

const work = await mkdtemp(join(tmpdir(), "sidecanary-pack-"));
try {
  await main(work);
} finally {
  await rm(work, { recursive: true, force: true });
}

/** Packs what is built, installs it in empty folders and uses it as a stranger would. */
async function main(work: string): Promise<void> {
  const tarball = await pack(work);
  const steps: readonly Step[] = [
    { name: "the tarball holds JavaScript and declarations only", body: () => contents(tarball) },
    { name: "a host app imports and type-checks", body: () => hostApp(work, tarball) },
    { name: "npx prints its help in an empty folder", body: () => help(work, tarball) },
    { name: "npx scores a variant in a folder without git", body: () => variants(work, tarball) },
  ];
  let failed = 0;
  for (const { name, body } of steps) {
    const start = performance.now();
    const problem = await body().then(() => undefined, (error: unknown) => error);
    const time = `${((performance.now() - start) / 1000).toFixed(1)} s`;
    console.log(`${problem === undefined ? "ok  " : "FAIL"} ${name} (${time})`);
    if (problem === undefined) continue;
    failed++;
    console.log(problem instanceof Error ? problem.message : problem);
  }
  console.log(`${steps.length - failed} passed, ${failed} failed`);
  process.exitCode = failed === 0 ? 0 : 1;
}

async function pack(work: string): Promise<string> {
  await must("npm", ["run", "build"], ROOT);
  await must("npm", ["pack", "--ignore-scripts", "--pack-destination", work], ROOT);
  const { name, version } = JSON.parse(await readFile(join(ROOT, "package.json"), "utf8"));
  return join(work, `${name}-${version}.tgz`);
}

async function contents(tarball: string): Promise<void> {
  const { output } = await must("tar", ["-tzf", tarball], ROOT);
  const files = output.trim().split("\n").map((line) => line.replace(/^package\//, ""));
  const wrong = files.filter((path) => /\.ts$/.test(path) && !path.endsWith(".d.ts"));
  if (wrong.length > 0) throw new Error(`sources are published: ${wrong.join(" ")}`);
  for (const path of ["dist/cli.js", "dist/mod.js", "dist/machines.js", "LICENSE"]) {
    if (!files.includes(path)) throw new Error(`${path} is not in the tarball`);
  }
}

async function hostApp(work: string, tarball: string): Promise<void> {
  const dir = await empty(work, "host");
  await writeFile(join(dir, "package.json"), '{ "type": "module", "private": true }\n');
  const { devDependencies } = JSON.parse(await readFile(join(ROOT, "package.json"), "utf8"));
  const packages = ["xstate", "@types/node"].map((name) => `${name}@${devDependencies[name]}`);
  await must("npm", ["install", "--no-audit", "--no-fund", tarball, ...packages], dir);
  await writeFile(
    join(dir, "app.ts"),
    'import * as sidecanary from "sidecanary";\n' +
      'import * as machines from "sidecanary/machines";\n' +
      "export const names: string[] = [sidecanary, machines].map((m) => Object.keys(m).join());\n" +
      'console.log(names.join("\\n"));\n',
  );
  const options = {
    module: "nodenext",
    moduleResolution: "nodenext",
    target: "es2023",
    lib: ["es2023"],
    types: ["node"],
    strict: true,
    skipLibCheck: false,
    outDir: "out",
    rootDir: ".",
  };
  const config = { compilerOptions: options, files: ["app.ts"] };
  await writeFile(join(dir, "tsconfig.json"), JSON.stringify(config));
  const tsc = join(ROOT, "node_modules/typescript/bin/tsc");
  await must("node", [tsc, "-p", "."], dir);
  await must("node", ["out/app.js"], dir);
  await must(process.execPath, ["run", "-A", "out/app.js"], dir);
}

async function help(work: string, tarball: string): Promise<void> {
  const dir = await empty(work, "help");
  // npx refuses an absolute path to a tarball.
  const relative = `../${tarball.slice(work.length + 1)}`;
  const { output } = await must("npx", ["--yes", relative, "--help"], dir);
  if (!/usage/i.test(output)) throw new Error(`no usage in:\n${output}`);
}

async function variants(work: string, tarball: string): Promise<void> {
  const dir = await empty(work, "variants");
  await writeFile(join(dir, "answer.txt"), "42\n");
  const patch = "--- a/answer.txt\n+++ b/answer.txt\n@@ -1 +1 @@\n-42\n+41\n";
  const file = join(dir, "variants.json");
  await writeFile(file, JSON.stringify([{ id: "v", description: "", patch }]));
  const relative = `../${tarball.slice(work.length + 1)}`;
  const call = [
    "--yes",
    relative,
    "variants",
    "variants.json",
    "--command",
    "grep -q 42 answer.txt",
  ];
  const state = `XDG_STATE_HOME=${join(work, "state")}`;
  const { output } = await must("env", [state, "npx", ...call, "--format", "json"], dir);
  if (!/"killed": 1\b/.test(output)) throw new Error(`no kill in:\n${output}`);
  if (await readFile(join(dir, "answer.txt"), "utf8") !== "42\n") throw new Error("file changed");
}

async function empty(work: string, name: string): Promise<string> {
  return await mkdtemp(join(work, `${name}-`));
}

async function must(command: string, args: readonly string[], cwd: string): Promise<RunResult> {
  const result = await run(command, args, { cwd, env: { NO_COLOR: "1" }, timeoutMs: 300_000 });
  if (result.code === 0) return result;
  const ended = result.timedOut ? "took too long" : `ended with ${result.signal ?? result.code}`;
  throw new Error(`${command} ${args.join(" ")} ${ended}\n${result.output}`);
}
