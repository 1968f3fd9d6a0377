import { spawn, spawnSync } from "node:child_process";
import { chmodSync } from "node:fs";
import { join } from "node:path";
import process from "node:process";
import * as assert from "uvu/assert";
import { suite } from "../harness.ts";
import { tempDir } from "../kit/temp-dir.ts";

const test = suite("unprivileged-serve");

/** A user who owns nothing here. */
const NOBODY = 65_534;
const self = process.argv[1] ?? "";

for (const name of ["isolation", "lifecycle", "ssh"]) {
  const entry = self.replace(/unprivileged(\.system\.spec\.[jt]s)$/, `${name}$1`);
  const reason = whyNot(entry);
  if (reason !== undefined) {
    // Nothing is left out: the file's own run is an unprivileged one, or cannot be had.
    test(`${name}: ${reason}`, () => assert.is.not(entry, self));
    continue;
  }
  test(`${name}: everything holds for a server of an unprivileged user too`, async () => {
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
  }, { timeoutMs: 100_000 });
}

function whyNot(entry: string): string | undefined {
  if (process.getuid?.() !== 0) return "this run is unprivileged already";
  const read = spawnSync("test", ["-r", entry], { uid: NOBODY, gid: NOBODY });
  return read.status === 0 ? undefined : `${entry} cannot be read by uid ${NOBODY}`;
}
