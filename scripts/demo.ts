import { spawnSync } from "node:child_process";
import { existsSync } from "node:fs";
import { cp, mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import process from "node:process";
import { ROOT } from "./files.ts";

process.exitCode = await main();

/** Runs the built command line on a copy of examples/demo, as a new user would; leaves nothing. */
async function main(): Promise<number> {
  const cli = join(ROOT, "dist/cli.js");
  if (!existsSync(cli)) {
    console.error("There is no dist/cli.js yet: npm run build makes it");
    return 1;
  }
  const work = await mkdtemp(join(tmpdir(), "sidecanary-demo-"));
  try {
    const project = join(work, "parking");
    console.log(`$ cp -r examples/demo ${project} && cd ${project} && git init`);
    await cp(join(ROOT, "examples/demo"), project, { recursive: true });
    const initialised = run("git", ["init", "--quiet"], project, {});
    if (initialised !== 0) return initialised;
    const args = ["variants", "variants.json", "--format", "human", "--exit-zero"];
    console.log(`$ sidecanary ${args.join(" ")}\n`);
    const node = process.env["npm_node_execpath"] ?? "node";
    return run(node, [cli, ...args], project, { XDG_STATE_HOME: join(work, "state") });
  } finally {
    await rm(work, { recursive: true, force: true });
  }
}

function run(
  command: string,
  args: readonly string[],
  cwd: string,
  env: Readonly<Record<string, string>>,
): number {
  const { status, error } = spawnSync(command, args, {
    cwd,
    env: { ...process.env, ...env },
    stdio: "inherit",
  });
  if (error !== undefined) throw error;
  return status ?? 1;
}
