import { link, readFile, unlink, writeFile } from "node:fs/promises";
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
  // Linked, so that a lock is never there without its owner.
  const own = `${path}.${mine}`;
  await writeFile(own, mine, { flag: "wx", mode: 0o600 });
  try {
    for (let attempt = 0; attempt < 5; attempt++) {
      if (await linked(own, path)) {
        return async () => {
          if (await contentOf(path) === mine) await unlink(path);
        };
      }
      const text = await contentOf(path);
      if (text === undefined) continue;
      const owner = ownerOf(text);
      if (owner !== undefined && ownerState(owner) !== "dead") {
        throw new SidecanaryError(
          "sidecar-failed",
          `${stateDir} is used by another sidecar host (process ${owner.pid}); stop it, or choose ` +
            `another state directory. If there is none, remove ${path}.`,
          { sidecar: stateDir },
        );
      }
      await removeDead(path, text, own);
    }
  } finally {
    await unlink(own);
  }
  throw new SidecanaryError(
    "sidecar-failed",
    `${path} could not be taken: other sidecar hosts start at the same time. Try again.`,
    { sidecar: stateDir },
  );
}

/**
 * Removes a dead lock that holds `text`. Only who holds the claim does: another one who has read the
 * same text would remove the lock that was taken meanwhile.
 */
async function removeDead(path: string, text: string, own: string): Promise<void> {
  const claim = `${path}.claim`;
  if (await linked(own, claim)) {
    try {
      if (await contentOf(path) === text) await unlink(path);
    } finally {
      await unlink(claim);
    }
    return;
  }
  const claimant = ownerOf(await contentOf(claim) ?? "");
  // It was killed between two lines of this function.
  if (claimant !== undefined && ownerState(claimant) === "dead") await unlinked(claim);
}

/** Whether `to` is a name of the file now; not where there was one. */
async function linked(from: string, to: string): Promise<boolean> {
  try {
    await link(from, to);
    return true;
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === "EEXIST") return false;
    throw error;
  }
}

async function unlinked(path: string): Promise<void> {
  try {
    await unlink(path);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== "ENOENT") throw error;
  }
}

/** `undefined` where there is no such file. */
async function contentOf(path: string): Promise<string | undefined> {
  try {
    return await readFile(path, "utf8");
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === "ENOENT") return undefined;
    throw error;
  }
}
