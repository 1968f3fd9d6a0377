import { createHash, randomUUID } from "node:crypto";
import { link, mkdir, readFile, realpath, rename, rm, stat, writeFile } from "node:fs/promises";
import { basename, dirname, join, sep } from "node:path";
import { SidecanaryError } from "./errors.ts";

/** Where the campaigns of one working tree keep what outlives a process. */
export interface StateFolder {
  readonly dir: string;
  /** Marks what this folder's campaigns make elsewhere as theirs: 8 characters, drawn once. */
  readonly owner: string;
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
  const folder: Omit<StateFolder, "owner"> = {
    dir,
    database: join(dir, "campaigns.db"),
    work: join(dir, "work"),
    payload: join(dir, "payload"),
    logs: join(dir, "logs"),
  };
  try {
    for (const each of [dir, folder.work, folder.payload, folder.logs]) await makeFolder(each);
    return { ...folder, owner: await readOwner(join(dir, "owner")) };
  } catch (error) {
    throw unusable(stateHome, error);
  }
}

/** Of several processes that make it at once one wins, and all read what it wrote. */
async function readOwner(path: string): Promise<string> {
  const known = await readFile(path, "utf8").catch((error: NodeJS.ErrnoException) => {
    if (error.code !== "ENOENT") throw error;
  });
  if (known !== undefined && OWNER.test(known)) return known;
  const drawn = randomUUID().replaceAll("-", "").slice(0, 8);
  const draft = `${path}.${drawn}`;
  await writeFile(draft, drawn, { mode: 0o600 });
  try {
    // A link is made whole or not at all, and never over another one.
    if (known === undefined) await link(draft, path);
    else await rename(draft, path);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== "EEXIST") throw error;
  } finally {
    await rm(draft, { force: true });
  }
  return await readFile(path, "utf8");
}

const OWNER = /^[a-z0-9]{8}$/;

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
