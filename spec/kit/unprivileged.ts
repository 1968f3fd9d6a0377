import { spawn, spawnSync } from "node:child_process";
import { chmodSync } from "node:fs";
import { join } from "node:path";
import process from "node:process";
import * as assert from "uvu/assert";
import type { suite } from "../harness.ts";
import { tempDir } from "./temp-dir.ts";

/** A user who owns nothing here. */
const NOBODY = 65_534;

/**
 * Adds a test for each spec file beside the running one, `unprivileged`, that runs it as a user who
 * owns nothing. Where this run is unprivileged, or that user cannot read the files, the test says so.
 *
 * @param names the files' names before `.spec` or `.system.spec`
 */
export function testUnprivileged(
  test: ReturnType<typeof suite>,
  names: readonly string[],
  timeoutMs = 170_000,
): void {
  const self = process.argv[1] ?? "";
  for (const name of names) {
    const entry = self.replace(/unprivileged((?:\.system)?\.spec\.[jt]s)$/, `${name}$1`);
    const reason = whyNot(entry);
    if (reason !== undefined) {
      // Nothing is left out: the file's own run is an unprivileged one, or cannot be had.
      test(`${name}: ${reason}`, () => assert.is.not(entry, self));
      continue;
    }
    test(`${name}: everything holds for an unprivileged user too`, async () => {
      const home = await tempDir();
      chmodSync(home, 0o777);
      const runtime = process.versions["deno"] === undefined ? [] : ["run", "-A"];
      const child = spawn(process.execPath, [...runtime, entry], {
        uid: NOBODY,
        gid: NOBODY,
        cwd: home,
        env: { ...process.env, HOME: home, TMPDIR: home, DENO_DIR: join(home, "deno") },
        stdio: ["ignore", "pipe", "pipe"],
      });
      let output = "";
      child.stdout.setEncoding("utf8").on("data", (text: string) => output += text);
      child.stderr.setEncoding("utf8").on("data", (text: string) => output += text);
      const code = await new Promise((resolve) => child.once("close", resolve));
      if (code !== 0) throw new Error(`${entry} ended with ${code} for uid ${NOBODY}:\n${output}`);
    }, { timeoutMs });
  }
}

function whyNot(entry: string): string | undefined {
  if (process.getuid?.() !== 0) return "this run is unprivileged already";
  const read = spawnSync("test", ["-r", entry], { uid: NOBODY, gid: NOBODY });
  return read.status === 0 ? undefined : `${entry} cannot be read by uid ${NOBODY}`;
}
