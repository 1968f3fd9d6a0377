import { build, type BuildOptions } from "esbuild";
import { chmod, readdir, readFile, rm, writeFile } from "node:fs/promises";
import { join } from "node:path";
import process from "node:process";
import { ROOT } from "./files.ts";
import { run } from "./run.ts";

// Native and optional: looked up where the package is installed, and done without where it is not.
const NATIVE = ["libsql", "cpu-features", "*.node"];

// What bundled CommonJS modules expect to find.
const COMMONJS = [
  'import { createRequire as __createRequire } from "node:module";',
  'import { fileURLToPath as __toPath } from "node:url";',
  "const require = __createRequire(import.meta.url);",
  "const __filename = __toPath(import.meta.url);",
  'const __dirname = __toPath(new URL(".", import.meta.url));',
].join("\n");

const SHARED: BuildOptions = {
  absWorkingDir: ROOT,
  outdir: "dist",
  bundle: true,
  splitting: true,
  format: "esm",
  platform: "node",
  target: "node20.19",
  metafile: true,
  logLevel: "warning",
};

await main();

/**
 * Builds what is published: `dist/cli.js` with everything in it, `dist/mod.js` and
 * `dist/machines.js` that share the host's xstate, their types, and the notices of what is bundled.
 */
async function main(): Promise<void> {
  await rm(join(ROOT, "dist"), { recursive: true, force: true });
  const inputs = new Set<string>();
  const library = await build({
    ...SHARED,
    entryPoints: { mod: "runtime/mod.ts", machines: "machines/mod.ts" },
    external: ["xstate", "xstate/*", ...NATIVE],
    chunkNames: "chunks/[name]-[hash]",
    banner: { js: COMMONJS },
  });
  for (const input of Object.keys(library.metafile?.inputs ?? {})) inputs.add(input);
  const cli = await build({
    ...SHARED,
    entryPoints: { cli: "runtime/cli/main.ts" },
    external: NATIVE,
    chunkNames: "cli/[name]-[hash]",
    banner: { js: COMMONJS },
    // Names stay as they are, for whoever reads a stack.
    minifyWhitespace: true,
    minifySyntax: true,
  });
  for (const input of Object.keys(cli.metafile?.inputs ?? {})) inputs.add(input);
  await makeExecutable(join(ROOT, "dist/cli.js"));
  await writeFile(join(ROOT, "dist/THIRD-PARTY.txt"), await notices(inputs));
  await declarations();
}

async function makeExecutable(path: string): Promise<void> {
  const text = await readFile(path, "utf8");
  if (!text.startsWith("#!")) await writeFile(path, `#!/usr/bin/env node\n${text}`);
  await chmod(path, 0o755);
}

async function declarations(): Promise<void> {
  const tsc = join(ROOT, "node_modules/typescript/bin/tsc");
  const args = ["run", "-A", tsc, "-p", join(ROOT, "scripts/tsconfig.types.json")];
  const { code, output } = await run(process.execPath, args, { cwd: ROOT });
  if (code !== 0) throw new Error(`the declarations do not build:\n${output}`);
}

/** The licences of the packages that went into the bundles, as those licences ask. */
async function notices(inputs: ReadonlySet<string>): Promise<string> {
  const names = new Set<string>();
  for (const input of inputs) {
    const name = /^node_modules\/((?:@[^/]+\/)?[^/]+)\//.exec(input)?.[1];
    if (name !== undefined) names.add(name);
  }
  const parts: string[] = ["The files beside this one contain these packages.\n"];
  for (const name of [...names].sort()) {
    const dir = join(ROOT, "node_modules", name);
    const manifest = JSON.parse(await readFile(join(dir, "package.json"), "utf8"));
    const file = (await readdir(dir)).find((entry) => /^licen[cs]e/i.test(entry));
    const text = file === undefined ? "" : await readFile(join(dir, file), "utf8");
    parts.push(`${name} ${manifest.version} (${manifest.license})\n\n${text}`);
  }
  return parts.join("\n----------------------------------------\n\n");
}
