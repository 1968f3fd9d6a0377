import * as assert from "uvu/assert";
import { spawnSync } from "node:child_process";
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { PassThrough } from "node:stream";
import { completionScript } from "../../runtime/cli/completion/completion-script.ts";
import { createProgram, FORMATS, SHELLS } from "../../runtime/cli/program.ts";
import { SIDECARS } from "../../runtime/cli/options/parse-sidecar.ts";
import { suite } from "../harness.ts";
import { tempDir } from "../kit/temp-dir.ts";

const test = suite("completion");

const nothing = (): Promise<void> => Promise.resolve();
const PROGRAM = createProgram(
  { stdout: new PassThrough(), stderr: new PassThrough() },
  { variants: nothing, completion: nothing },
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
  assert.equal(await offers("sidecanary", "v"), ["variants"]);
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

for (const shell of SHELLS) {
  test(`completionScript() of ${shell} knows every option and value that the help shows`, () => {
    const script = completionScript(PROGRAM, shell);
    for (const command of [PROGRAM, ...PROGRAM.commands]) {
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
