import * as assert from "uvu/assert";
import { build } from "esbuild";
import { refuseRuntime } from "../../runtime/cli/check-runtime.ts";
import { suite } from "../harness.ts";
import { root } from "../kit/root.ts";

const test = suite("start");

/** The modules that are loaded with these, by static imports alone. */
async function loadedWith(...paths: readonly string[]): Promise<Set<string>> {
  const { metafile } = await build({
    absWorkingDir: root(),
    entryPoints: ["runtime/cli/main.ts"],
    bundle: true,
    write: false,
    splitting: true,
    outdir: "dist",
    format: "esm",
    platform: "node",
    external: ["libsql", "cpu-features", "*.node"],
    metafile: true,
    logLevel: "silent",
  });
  const loaded = new Set<string>();
  const load = (path: string): void => {
    if (loaded.has(path)) return;
    loaded.add(path);
    for (const { path: to, kind, external } of metafile.inputs[path]?.imports ?? []) {
      if (kind === "import-statement" && !external) load(to);
    }
  };
  for (const path of paths) load(path);
  return loaded;
}

test("sidecanary loads neither engine nor store nor schemas for --help and --version", async () => {
  const loaded = await loadedWith("runtime/cli/main.ts", "runtime/cli/run-process.ts");
  assert.ok(loaded.has("runtime/cli/program.ts"));
  const heavy =
    /runtime\/(engine|store|sidecars|sync|canary|inspector)\/|machines\/|xstate|valibot/;
  assert.equal([...loaded].filter((path) => heavy.test(path)), []);
}, { timeoutMs: 30_000 });

test("main.ts loads nothing of weight before it has looked at the runtime", async () => {
  const loaded = await loadedWith("runtime/cli/main.ts");
  assert.equal([...loaded].sort(), ["runtime/cli/check-runtime.ts", "runtime/cli/main.ts"]);
}, { timeoutMs: 30_000 });

test("refuseRuntime() asks for Node 20.19, and leaves Deno alone", () => {
  assert.match(
    refuseRuntime({ node: "18.20.4" }) ?? "",
    "needs Node 20.19 or newer, and this is 18",
  );
  assert.match(refuseRuntime({ node: "20.18.3" }) ?? "", "needs Node 20.19");
  assert.is(refuseRuntime({ node: "20.19.0" }), undefined);
  assert.is(refuseRuntime({ node: "24.1.0" }), undefined);
  assert.is(refuseRuntime({ node: "20.0.0", deno: "2.9.5" }), undefined);
});
