import { mkdir, rm } from "node:fs/promises";
import { join } from "node:path";
import { capturePayload } from "../sync/capture.ts";
import { git } from "../sync/git.ts";
import { listTree } from "../sync/list-tree.ts";
import type { Payload } from "../sync/payload.ts";
import { readEntries } from "../sync/read-entries.ts";

/**
 * Whether the working tree holds something else than the payload now. Only what looks changed by its
 * dates and names is read again.
 *
 * @param scratch a folder of our own
 */
export async function isTreeChanged(payload: Payload, scratch: string): Promise<boolean> {
  if (!(await looksChanged(payload))) return false;
  const again = join(scratch, "again");
  await mkdir(again, { recursive: true, mode: 0o700 });
  try {
    const { tree } = await capturePayload({ cwd: join(payload.root, payload.cwd), scratch: again });
    return tree !== payload.tree;
  } finally {
    await rm(again, { recursive: true, force: true });
  }
}

async function looksChanged(payload: Payload): Promise<boolean> {
  const { root, gitDir, indexFile } = payload;
  const [dirty, listing, entries] = await Promise.all([
    git(["diff-files", "--name-only", "-z"], { cwd: root, gitDir, workTree: root, indexFile }),
    listTree({ ...payload, scratchGitDir: gitDir }),
    readEntries(payload),
  ]);
  if (dirty.length > 0 || listing.paths.size !== entries.length) return true;
  return entries.some(({ path }) => !listing.paths.has(path));
}
