import { chmodSync, lstatSync, readdirSync, rmSync } from "node:fs";
import { mkdtemp, realpath } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import process from "node:process";

/**
 * Makes an empty directory of its own below the system's temporary directory and answers its
 * absolute path without symbolic links. It is removed when the process ends.
 */
export async function tempDir(): Promise<string> {
  const dir = await mkdtemp(join(await realpath(tmpdir()), "sidecanary-spec-"));
  process.once("exit", () => remove(dir));
  process.setMaxListeners(Math.max(process.getMaxListeners(), process.listenerCount("exit") + 1));
  return dir;
}

function remove(dir: string): void {
  try {
    rmSync(dir, { recursive: true, force: true });
  } catch {
    // An overlay leaves a work directory of mode 0, which only its mode keeps from being removed.
    try {
      open(dir);
      rmSync(dir, { recursive: true, force: true });
    } catch (error) {
      console.error(`left behind: ${dir}: ${String(error)}`);
    }
  }
}

function open(dir: string): void {
  chmodSync(dir, 0o700);
  for (const name of readdirSync(dir)) {
    const path = join(dir, name);
    if (lstatSync(path).isDirectory()) open(path);
  }
}
