import { execFileSync } from "node:child_process";
import fc from "fast-check";
import * as assert from "uvu/assert";
import { wrapCommand } from "../../runtime/ssh/wrap-command.ts";
import { suite } from "../harness.ts";
import { check } from "../kit/check.ts";

const test = suite("wrapCommand");

test("wrapCommand() gives sh the very words, whatever they are", async () => {
  const word = fc.string({ unit: fc.constantFrom(..."ab '\"\\!\n\r$`%#*~é漢\t01") });
  await check(
    fc.property(word, (text) => {
      const command = `printf %s '${text.replaceAll("'", "'\\''")}'`;
      const { line, input } = wrapCommand(command);
      assert.is(input, undefined);
      assert.is(execFileSync("/bin/sh", ["-c", line], { encoding: "utf8" }), text);
    }),
    { numRuns: 40 },
  );
});

test("wrapCommand() shows a login shell nothing that shells quote differently", async () => {
  await check(
    fc.property(fc.string({ unit: "grapheme" }).filter((text) => !text.includes("\0")), (text) => {
      const { line } = wrapCommand(text);
      const quoted = line.match(/'[^']*'/g) ?? [];
      assert.is(quoted.join("").length + line.replaceAll(/'[^']*'/g, "").length, line.length);
      assert.not.match(line, /[!\n\r]|\\\\|\\'/);
      assert.is((line.match(/'/g) ?? []).length % 2, 0);
    }),
  );
});

test("wrapCommand() puts a long command before the input, of which it takes no byte more", () => {
  const command = `${"# it's long\\\n".repeat(4_000)}printf '%s|' "$0"; cat`;
  const { line, input } = wrapCommand(command);
  if (input === undefined) throw new Error("it is not long");
  assert.ok(line.length < 100);
  const said = execFileSync("/bin/sh", ["-c", line], {
    input: Buffer.concat([input, Buffer.from("rest\n")]),
    encoding: "utf8",
  });
  assert.is(said, "sh|rest\n");
});

test("wrapCommand() refuses what no argument can hold", () => {
  assert.throws(() => wrapCommand("x".repeat(131_001)), (e: unknown) => e instanceof RangeError);
  assert.throws(() => wrapCommand("a\0b"), (e: unknown) => e instanceof RangeError);
});
