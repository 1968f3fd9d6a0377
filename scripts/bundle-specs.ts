import { build } from "esbuild";
import { readdir, rm, stat } from "node:fs/promises";
import { join } from "node:path";
import { walk } from "./files.ts";

/** Where the bundled specs are, below the root. */
export const SPEC_BUNDLE = "dist-spec";

/**
 * Bundles specs and everything they start as a child process into `dist-spec/`, one JavaScript file
 * per entry plus shared chunks, packages left out, so that a Node that cannot run TypeScript runs
 * the same specs, internals included.
 *
 * @param root the repository
 * @param specs paths of spec files below the root
 * @param xstate the folder of another xstate, which is bundled in place of the installed one
 * @throws Error when a module does not build
 */
export async function bundleSpecs(
  root: string,
  specs: readonly string[],
  xstate?: string,
): Promise<void> {
  const children = [
    ...await walk(root, "spec/kit/children"),
    ...await walk(root, "spec/fixtures/harness"),
  ].filter((path) => path.endsWith(".ts"));
  const outdir = join(root, SPEC_BUNDLE);
  const { metafile } = await build({
    absWorkingDir: root,
    entryPoints: [...specs, ...children],
    outbase: "spec",
    outdir,
    bundle: true,
    splitting: true,
    format: "esm",
    platform: "node",
    target: "node20",
    packages: "external",
    alias: xstate === undefined ? {} : { xstate },
    sourcemap: "linked",
    chunkNames: "chunks/[name]-[hash]",
    metafile: true,
    logLevel: "warning",
  });
  await sweep(root, new Set(Object.keys(metafile.outputs)));
}

/** Removes what earlier builds left, but not what a build beside this one has just written. */
async function sweep(root: string, kept: ReadonlySet<string>): Promise<void> {
  for (const name of await readdir(join(root, SPEC_BUNDLE), { recursive: true })) {
    const path = join(SPEC_BUNDLE, name);
    if (kept.has(path)) continue;
    const found = await stat(join(root, path)).catch(() => undefined);
    const old = found?.isFile() && Date.now() - found.mtimeMs > 600_000;
    if (old) await rm(join(root, path), { force: true });
  }
}
