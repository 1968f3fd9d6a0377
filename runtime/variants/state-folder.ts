import { createHash } from "node:crypto";
import { mkdir, realpath } from "node:fs/promises";
import { basename, dirname, join, sep } from "node:path";
import { SidecanaryError } from "../errors.ts";

/** Where the campaigns of one working tree keep what outlives a process. */
export interface StateFolder {
  readonly dir: string;
  /** The engine's store. */
  readonly database: string;
  /** For the sandboxes of the local provider. */
  readonly work: string;
  /** The payload's repository: only of use to the process that captured it. */
  readonly payload: string;
  /** The whole output of commands, one folder a campaign. */
  readonly logs: string;
}

/**
 * Makes `<stateHome>/<hash of the root>/`, for nobody else to read.
 *
 * @param root the working tree's real path
 * @throws SidecanaryError `usage` where the folder would lie inside of the working tree
 */
export async function openStateFolder(stateHome: string, root: string): Promise<StateFolder> {
  const name = createHash("sha256").update(root).digest("hex").slice(0, 16);
  const home = await realHome(stateHome);
  if (home === root || home.startsWith(root.endsWith(sep) ? root : root + sep)) {
    throw new SidecanaryError(
      "usage",
      `Cannot keep state in "${stateHome}": it lies inside of the working tree "${root}". ` +
        "Set XDG_STATE_HOME to a folder outside",
      { option: "XDG_STATE_HOME" },
    );
  }
  const dir = join(home, name);
  const folder: StateFolder = {
    dir,
    database: join(dir, "campaigns.db"),
    work: join(dir, "work"),
    payload: join(dir, "payload"),
    logs: join(dir, "logs"),
  };
  await mkdir(dir, { recursive: true, mode: 0o700 });
  for (const each of [folder.work, folder.payload, folder.logs]) {
    await mkdir(each, { recursive: true, mode: 0o700 });
  }
  return folder;
}

/** The real path of a folder that may not exist yet; nothing is made before it is known to be outside. */
async function realHome(path: string): Promise<string> {
  try {
    return await realpath(path);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== "ENOENT" || dirname(path) === path) throw error;
    return join(await realHome(dirname(path)), basename(path));
  }
}
