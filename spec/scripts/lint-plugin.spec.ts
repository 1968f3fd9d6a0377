import * as assert from "uvu/assert";
import { mkdir, writeFile } from "node:fs/promises";
import { dirname, join } from "node:path";
import { run } from "../../scripts/run.ts";
import { suite } from "../harness.ts";
import { root } from "../kit/root.ts";
import { tempDir } from "../kit/temp-dir.ts";

const test = suite("lint plugin");

const REFUSED: readonly (readonly [string, string, string])[] = [
  ["machines/a.ts", "export const now = Date.now();", "injected-time-and-chance"],
  ["machines/a.ts", "export const at = new Date();", "injected-time-and-chance"],
  ["machines/a.ts", "setTimeout(() => {}, 1);", "injected-time-and-chance"],
  ["runtime/engine/a.ts", "export const n = Math.random();", "injected-time-and-chance"],
  ["runtime/engine/a.ts", "export const id = crypto.randomUUID();", "injected-time-and-chance"],
  [
    "runtime/engine/a.ts",
    'export { b } from "./b.ts";\nimport { randomUUID } from "node:crypto";\nexport const c = [randomUUID];',
    "injected-time-and-chance",
  ],
  ["runtime/sync/a.ts", "export let count = 0;", "no-mutable-module-state"],
  ["runtime/sync/a.ts", 'export * from "./b.ts";', "named-exports"],
  ["runtime/sync/a.ts", "export default 1;", "named-exports"],
  ["runtime/sync/a.ts", "export enum A { B }", "erasable"],
  ["runtime/sync/a.ts", "export class A { private b = 1; }", "erasable"],
  ["runtime/sync/a.ts", "export const dir = Deno.cwd();", "no-deno-global"],
];

for (const [file, source, rule] of REFUSED) {
  test(`${rule} refuses in ${file}: ${source.split("\n").at(-1)}`, async () => {
    const { code, output } = await lint(file, source);
    assert.is(code, 1, output);
    assert.match(output, `house/${rule}`);
  });
}

const ALLOWED: readonly (readonly [string, string])[] = [
  ["machines/a.ts", "export const at = (ms: number) => new Date(ms);"],
  ["runtime/clock.ts", "export const now = (): number => Date.now();"],
  ["runtime/sync/a.ts", "export const later = () => setTimeout(() => {}, 1);"],
  ["runtime/sync/a.ts", "export class A { private constructor() {} static a = new A(); }"],
  ["runtime/sync/a.ts", "export function f(): number { let n = 0; n++; return n; }"],
];

for (const [file, source] of ALLOWED) {
  test(`the house allows in ${file}: ${source}`, async () => {
    const { code, output } = await lint(file, source);
    assert.is(code, 0, output);
  });
}

async function lint(file: string, source: string) {
  const path = join(await tempDir(), file);
  await mkdir(dirname(path), { recursive: true });
  await writeFile(path, `${source}\n`);
  const args = ["lint", "--quiet", "--config", join(root(), "deno.json"), path];
  return await run(join(root(), "node_modules/.bin/deno"), args, {
    cwd: root(),
    env: { NO_COLOR: "1" },
  });
}
