import * as assert from "uvu/assert";
import { readFile } from "node:fs/promises";
import { join } from "node:path";
import { walk } from "../scripts/files.ts";
import { layerViolations } from "../scripts/layers.ts";
import { suite } from "./harness.ts";
import { root } from "./kit/root.ts";

const test = suite("layers");

test("layerViolations() finds none in this repository", async () => {
  const files = new Map<string, string>();
  for (const dir of ["machines", "runtime", "spec", "scripts"]) {
    for (const path of await walk(root(), dir)) {
      if (path.endsWith(".ts")) files.set(path, await readFile(join(root(), path), "utf8"));
    }
  }
  assert.ok(files.size > 10);
  assert.equal(layerViolations(files), []);
});

test("layerViolations() names the file, the line and the specifier", () => {
  const source = '// A comment.\nimport { run } from "../cli/run.ts";\n';
  const found = layerViolations(new Map([["runtime/engine/step.ts", source]]));
  assert.equal(found, [{
    file: "runtime/engine/step.ts",
    line: 2,
    specifier: "../cli/run.ts",
    reason: "service does not import cli",
  }]);
});

const REFUSED: readonly (readonly [string, string])[] = [
  ["machines/sidecar/machine.ts", 'import { join } from "node:path";'],
  ["machines/sidecar/machine.ts", 'import * as v from "valibot";'],
  ["machines/sidecar/machine.ts", 'import type { Clock } from "../../runtime/clock.ts";'],
  ["runtime/clock.ts", 'import { step } from "./engine/step.ts";'],
  ["runtime/clock.ts", 'import { backoff } from "../machines/backoff.ts";'],
  ["runtime/engine/step.ts", 'import { MemoryStore } from "../store/memory/memory-store.ts";'],
  ["runtime/engine/step.ts", 'export { score } from "../variants/score.ts";'],
  ["runtime/engine/step.ts", 'const { score } = await import("../variants/score.ts");'],
  ["runtime/engine/step.ts", 'let a: import("../variants/score.ts").Score;'],
  ["runtime/engine/step.ts", 'import { join } from "path";'],
  ["runtime/engine/step.ts", 'import { deliver } from "./deliver";'],
  ["runtime/engine/step.ts", 'import { deliver } from "./deliver.js";'],
  ["runtime/engine/step.ts", 'import { suite } from "../../spec/harness.ts";'],
  ["runtime/store/store.ts", 'import { step } from "../engine/step.ts";'],
  ["runtime/store/sqlite/open.ts", 'import { keep } from "../memory/keep.ts";'],
  ["runtime/sidecars/ssh/exec.ts", 'import { exec } from "../local/exec.ts";'],
  ["runtime/sync/deliver.ts", 'import { exec } from "../sidecars/local/exec.ts";'],
  ["runtime/canary/route.ts", 'import { plan } from "../variants/plan.ts";'],
  ["runtime/variants/plan.ts", 'import { sidecanary } from "../mod.ts";'],
  ["runtime/mod.ts", 'import { main } from "./cli/main.ts";'],
  ["runtime/inspector/web/page.ts", 'import { parse } from "../protocol.ts";'],
  ["runtime/inspector/web/page.ts", 'import type { Feed } from "../feed.ts";'],
  ["runtime/inspector/web/page.ts", 'import { readFile } from "node:fs/promises";'],
];

for (const [file, source] of REFUSED) {
  test(`layerViolations() refuses in ${file}: ${source}`, () => {
    assert.is(layerViolations(new Map([[file, source]])).length, 1);
  });
}

const ALLOWED: readonly (readonly [string, string])[] = [
  ["machines/sidecar/machine.ts", 'import { setup } from "xstate";'],
  ["machines/sidecar/machine.ts", 'import { backoff } from "../backoff.ts";'],
  ["runtime/engine/step.ts", 'import type { Store } from "../store/store.ts";'],
  ["runtime/engine/step.ts", 'import { SidecanaryError } from "../errors.ts";'],
  ["runtime/engine/step.ts", 'import { join } from "node:path";'],
  ["runtime/store/open-store.ts", 'const { open } = await import("./sqlite/open.ts");'],
  ["runtime/store/sqlite/open.ts", 'import type { Store } from "../store.ts";'],
  ["runtime/variants/plan.ts", 'import { local } from "../sidecars/local/local.ts";'],
  ["runtime/mod.ts", 'export { plan } from "./variants/plan.ts";'],
  ["runtime/cli/main.ts", 'import { plan } from "../variants/plan.ts";'],
  ["runtime/inspector/web/page.ts", 'import type { Frame } from "../protocol.ts";'],
  ["spec/engine/step.spec.ts", 'import { step } from "../../runtime/engine/step.ts";'],
];

for (const [file, source] of ALLOWED) {
  test(`layerViolations() allows in ${file}: ${source}`, () => {
    assert.equal(layerViolations(new Map([[file, source]])), []);
  });
}
