import * as assert from "uvu/assert";
import { execFileSync } from "node:child_process";
import { rmSync } from "node:fs";
import { join } from "node:path";
import { validationKey } from "../../runtime/warm/validation.ts";
import { warmKey } from "../../runtime/warm/warm-key.ts";
import { suite } from "../harness.ts";
import { cliPlace, configured } from "./cli-place.ts";

const test = suite("validation");

const PARTS = {
  tree: "t1",
  cwd: "",
  commands: [{ name: "a", run: "true", timeoutMs: 1 }],
  where: "docker:x",
  setup: null,
  env: { A: "1", B: "2" },
};

test("Cache key: validationKey() is another one wherever anything that was tested differs", () => {
  const keys = [
    PARTS,
    { ...PARTS, tree: "t2" },
    { ...PARTS, cwd: "sub" },
    { ...PARTS, commands: [{ name: "a", run: "false", timeoutMs: 1 }] },
    { ...PARTS, commands: [{ name: "a", run: "true", timeoutMs: 2 }] },
    { ...PARTS, commands: [...PARTS.commands, ...PARTS.commands] },
    { ...PARTS, where: "docker:y" },
    { ...PARTS, setup: "npm ci" },
    { ...PARTS, env: { A: "1" } },
  ].map(validationKey);
  assert.is(new Set(keys).size, keys.length);
  assert.is(validationKey({ ...PARTS, env: { B: "2", A: "1" } }), keys[0]);
});

test("Cache unusable worktree: validate in a hook remembers no tree that it cannot trust", async () => {
  const at = await cliPlace(configured("true"));
  rmSync(join(at.repo.dir, "a.txt"));
  execFileSync("mkfifo", [join(at.repo.dir, "a.txt")]);
  const stdin = JSON.stringify({ session_id: "s1" });
  for (let run = 0; run < 2; run++) {
    assert.match((await at.validate({}, { stdin })).stderr, /1\/1 passed/);
  }
});

test("SidecarFileNameCases, HashUniquenessAcrossBranches: warmKey() tells scopes of one text apart", () => {
  const text = "../../x y";
  const keys = [
    warmKey({ kind: "name", name: text }),
    warmKey({ kind: "session", session: text }),
    warmKey({ kind: "tree", root: text, branch: "" }),
    warmKey({ kind: "tree", root: text, branch: "main" }),
  ];
  assert.is(new Set(keys.map(({ id }) => id)).size, 4);
  for (const { id } of keys) assert.match(id, /^[0-9a-f]{11}$/);
});
