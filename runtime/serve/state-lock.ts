import { readFile, unlink, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { SidecanaryError } from "../errors.ts";
import { currentOwner, ownerOf, ownerState, scratchName } from "../sidecars/local/owner.ts";

/**
 * Makes this process the only server of a state directory.
 *
 * @returns lets go of it
 * @throws SidecanaryError `sidecar-failed` where another one lives
 */
export async function lockState(stateDir: string): Promise<() => Promise<void>> {
  const path = join(stateDir, "lock");
  const mine = scratchName(currentOwner());
  for (let attempt = 0; attempt < 5; attempt++) {
    try {
      await writeFile(path, mine, { flag: "wx", mode: 0o600 });
      return async () => {
        if (await readFile(path, "utf8").catch(() => "") === mine) await unlink(path);
      };
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code !== "EEXIST") throw error;
    }
    const text = await readFile(path, "utf8").catch(() => "");
    const owner = ownerOf(text);
    if (owner !== undefined && ownerState(owner) !== "dead") {
      throw new SidecanaryError(
        "sidecar-failed",
        `${stateDir} is used by another sidecar host (process ${owner.pid}); stop it, or choose ` +
          `another state directory. If there is none, remove ${path}.`,
        { sidecar: stateDir },
      );
    }
    await unlink(path).catch(() => {});
  }
  throw new SidecanaryError(
    "sidecar-failed",
    `${path} could not be taken: other sidecar hosts start at the same time. Try again.`,
    { sidecar: stateDir },
  );
}
