import * as assert from "uvu/assert";
import { existsSync, readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { PassThrough } from "node:stream";
import * as v from "valibot";
import { projectConfigSchema } from "../../runtime/cli/config/project-config.ts";
import { EXIT } from "../../runtime/cli/exit-code.ts";
import { KILL_PRESETS } from "../../runtime/cli/options/parse-kill-exit-codes.ts";
import { createProgram } from "../../runtime/cli/program.ts";
import { suite } from "../harness.ts";
import { root } from "../kit/root.ts";
import { idleActions } from "./idle-actions.ts";

const test = suite("docs");

const read = (path: string): string => readFileSync(join(root(), path), "utf8");

test("docs/variants.md has every option of sidecanary variants, and no other", () => {
  const nothing = (): Promise<void> => Promise.resolve();
  const program = createProgram(
    { stdout: new PassThrough(), stderr: new PassThrough() },
    idleActions(nothing),
  );
  const command = program.commands.find((each) => each.name() === "variants");
  const options = (command?.options ?? []).map(({ long }) => long ?? "");
  const table = read("docs/variants.md").split("## Options")[1]?.split("## Results")[0] ?? "";
  const told = table.split("\n").filter((line) => line.startsWith("|")).flatMap((line) =>
    [...line.matchAll(/`(--[a-z-]+)/g)].map(([, name]) => name ?? "")
  );
  assert.equal([...new Set(told)].sort(), [...options].sort());
});

test("docs/validate.md and docs/sidecars.md have every option of their commands", () => {
  const nothing = (): Promise<void> => Promise.resolve();
  const program = createProgram(
    { stdout: new PassThrough(), stderr: new PassThrough() },
    idleActions(nothing),
  );
  const below = (name: string) => program.commands.find((each) => each.name() === name);
  const sidecar = below("sidecar");
  const pages = [
    ["docs/validate.md", [below("validate")]],
    ["docs/sidecars.md", sidecar?.commands ?? []],
  ] as const;
  for (const [page, commands] of pages) {
    const text = read(page);
    for (const command of commands) {
      for (const { long } of command?.options ?? []) {
        assert.ok(text.includes(`\`${long}`), `${page}: ${command?.name()} ${long}`);
      }
    }
  }
});

test("docs/variants.md has every exit code", () => {
  const text = read("docs/variants.md").split("## Exit codes")[1] ?? "";
  for (const code of Object.values(EXIT)) assert.match(text, new RegExp(`^\\| ${code} `, "m"));
});

test("docs/configuration.md has every field of sidecanary.json", () => {
  const text = read("docs/configuration.md");
  const [schema] = projectConfigSchema.pipe;
  for (const field of Object.keys(schema.entries)) {
    assert.ok(text.includes(`\`${field}\``) || field === "$schema", field);
  }
});

test("docs/configuration.md shows a sidecanary.json that is accepted", () => {
  const [, json = ""] = /```json\n([^]*?)```/.exec(read("docs/configuration.md")) ?? [];
  assert.ok(v.is(projectConfigSchema, JSON.parse(json)));
  assert.ok(v.is(projectConfigSchema, JSON.parse(read("examples/demo/sidecanary.json"))));
});

test("docs name presets of exit codes that are there", () => {
  for (const path of ["docs/variants.md", "docs/configuration.md"]) {
    for (const name of ["pytest", "cargo", "nextest", "go", "jest"]) {
      assert.ok(read(path).includes(`\`${name}\``) && KILL_PRESETS.includes(name), name);
    }
  }
});

test("every link of README and docs leads to a file", () => {
  const pages = ["README.md", ...readdirSync(join(root(), "docs")).map((name) => `docs/${name}`)];
  for (const page of pages) {
    for (const [, target = ""] of read(page).matchAll(/\]\((?!https?:)([^)#]+)/g)) {
      const path = join(root(), page, "..", target);
      assert.ok(existsSync(path), `${page}: ${target}`);
    }
  }
});
