import { createHash } from "node:crypto";
import { mkdir, realpath, stat } from "node:fs/promises";
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
 * @throws SidecanaryError `usage` where the folder would lie inside of the working tree, or cannot be
 * made
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
  try {
    for (const each of [dir, folder.work, folder.payload, folder.logs]) await makeFolder(each);
  } catch (error) {
    throw unusable(stateHome, error);
  }
  return folder;
}

/** The real path of a folder that may not exist yet; nothing is made before it is known to be outside. */
async function realHome(path: string): Promise<string> {
  try {
    return await realpath(path);
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException;
    if (code !== "ENOENT" || dirname(path) === path) throw unusable(path, error);
    return join(await realHome(dirname(path)), basename(path));
  }
}

/** Level by level: node's own recursion does not end where the file system refuses with `ENOENT`. */
async function makeFolder(path: string): Promise<void> {
  try {
    if ((await stat(path)).isDirectory()) return;
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== "ENOENT" || dirname(path) === path) throw error;
    await makeFolder(dirname(path));
  }
  try {
    await mkdir(path, { mode: 0o700 });
  } catch (error) {
    // Another process was quicker.
    if ((error as NodeJS.ErrnoException).code !== "EEXIST" || !(await stat(path)).isDirectory()) {
      throw error;
    }
  }
}

function unusable(folder: string, error: unknown): SidecanaryError<"usage"> {
  const { message } = error as Error;
  return new SidecanaryError(
    "usage",
    `Cannot keep state in "${folder}": ${message}. Set XDG_STATE_HOME to a folder that can be written`,
    { option: "XDG_STATE_HOME" },
    error,
  );
}
