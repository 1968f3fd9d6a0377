import * as assert from "uvu/assert";
import { spawnSync } from "node:child_process";
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { PassThrough } from "node:stream";
import { completionScript } from "../../runtime/cli/completion/completion-script.ts";
import { createProgram } from "../../runtime/cli/program.ts";
import { SHELLS } from "../../runtime/cli/program/completion-command.ts";
import { FORMATS } from "../../runtime/cli/program/variants-command.ts";
import { SIDECARS } from "../../runtime/cli/options/parse-sidecar.ts";
import { suite } from "../harness.ts";
import { tempDir } from "../kit/temp-dir.ts";
import { idleActions } from "./idle-actions.ts";

const test = suite("completion");

const nothing = (): Promise<void> => Promise.resolve();
const PROGRAM = createProgram(
  { stdout: new PassThrough(), stderr: new PassThrough() },
  idleActions(nothing),
);

/** What bash offers at the end of these words, as readline would split them. */
async function offers(...words: readonly string[]): Promise<string[]> {
  const dir = await tempDir();
  writeFileSync(join(dir, "variants.json"), "[]");
  const script = `${completionScript(PROGRAM, "bash")}
COMP_WORDBREAKS=$' \\t\\n"><=;|&(:'
COMP_WORDS=("$@")
COMP_CWORD=$(($# - 1))
_sidecanary
printf '%s\\n' "\${COMPREPLY[@]}"`;
  const { stdout, stderr, status } = spawnSync("bash", ["-c", script, "bash", ...words], {
    cwd: dir,
    encoding: "utf8",
  });
  assert.equal([status, stderr], [0, ""]);
  return stdout.split("\n").filter((line) => line !== "");
}

test("completionScript() of bash is what bash parses", () => {
  const { status, stderr } = spawnSync("bash", ["-n"], {
    input: completionScript(PROGRAM, "bash"),
    encoding: "utf8",
  });
  assert.equal([status, stderr], [0, ""]);
});

test("completionScript() of bash offers commands, options, values and files", async () => {
  assert.equal(await offers("sidecanary", "v"), ["variants", "validate"]);
  assert.equal(await offers("sidecanary", "variants", "--time"), [
    "--timeout",
    "--timeout-multiplier",
  ]);
  assert.equal(await offers("sidecanary", "variants", "--format", ""), [...FORMATS]);
  assert.equal(await offers("sidecanary", "variants", "--format", "=", "js"), ["json", "jsonl"]);
  assert.equal(await offers("sidecanary", "variants", "var"), ["variants.json"]);
  assert.equal(await offers("sidecanary", "completion", ""), [...SHELLS]);
});

test("completionScript() of bash completes a value with a colon from the colon on", async () => {
  assert.equal(await offers("sidecanary", "variants", "--sidecar", "local"), SIDECARS.slice(0, 4));
  const words = ["sidecanary", "variants", "--sidecar", "local", ":", "o"];
  assert.equal(await offers(...words), ["overlay"]);
});

test("completionScript() of bash completes commands below commands", async () => {
  assert.equal(await offers("sidecanary", "sidecar", "s"), ["ssh", "sync", "serve"]);
  assert.equal(await offers("sidecanary", "sidecar", "exec", "--sy"), ["--sync"]);
  assert.equal(await offers("sidecanary", "sidecar", "--he"), ["--help"]);
  assert.equal(await offers("sidecanary", "sidecar", "create", "--sidecar", "circ"), ["circleci"]);
  assert.equal(await offers("sidecanary", "validate", "--dry"), ["--dry-run"]);
});

for (const shell of SHELLS) {
  test(`completionScript() of ${shell} knows every option and value that the help shows`, () => {
    const script = completionScript(PROGRAM, shell);
    const all = PROGRAM.commands.flatMap((each) => [each, ...each.commands]);
    for (const command of [PROGRAM, ...all]) {
      for (const option of command.createHelp().visibleOptions(command)) {
        const long = option.long?.slice(2) ?? "";
        assert.ok(script.includes(shell === "fish" ? `-l ${long} ` : `--${long}`), long);
        for (const choice of option.argChoices ?? []) {
          assert.ok(script.replaceAll("\\:", ":").includes(choice), choice);
        }
      }
    }
  });
}
