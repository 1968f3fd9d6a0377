import { mkdir } from "node:fs/promises";
import { join, resolve } from "node:path";
import { createLocalProvider } from "../sidecars/local/local-provider.ts";
import { removeTree } from "../sidecars/local/remove-tree.ts";
import type { Provider } from "../sidecars/provider.ts";
import { checkoutPayload } from "../sync/checkout.ts";
import { runGit } from "../sync/git.ts";
import type { Payload } from "../sync/payload.ts";
import type { CampaignRequest } from "./campaign-request.ts";
import type { StateFolder } from "../state-folder.ts";

/**
 * Writes the payload out and finds the best isolation that works here.
 *
 * @throws SidecanaryError `sandbox-unavailable`, `git-failed`
 */
export async function openLocalSandboxes(
  request: CampaignRequest,
  folder: StateFolder,
  payload: Payload,
): Promise<Provider> {
  const { isolation, signal } = request;
  const checkout = join(folder.dir, "checkout");
  await mkdir(checkout, { mode: 0o700 });
  await checkoutPayload(payload, checkout, { signal });
  return await createLocalProvider({
    root: payload.root,
    cwd: join(payload.root, payload.cwd),
    checkout,
    protect: await gitFolders(payload, signal),
    scratch: [folder.work],
    ...(isolation === "auto" ? {} : { kind: isolation }),
    signal,
  });
}

/** Where a linked worktree's repository is: commands must not change it either. */
async function gitFolders(payload: Payload, signal: AbortSignal): Promise<string[]> {
  if (!payload.repository) return [];
  const args = ["rev-parse", "--git-common-dir"];
  const found = await runGit(args, { cwd: payload.root, config: "user", signal });
  if (found.exitCode !== 0) return [];
  const path = resolve(payload.root, found.stdout.toString("utf8").replace(/\n$/, ""));
  return path.startsWith(`${payload.root}/`) ? [] : [path];
}

/** Removes what only one process has a use for: its payload, and what was written of it. */
export async function emptyFolders({ dir, payload }: StateFolder): Promise<void> {
  await removeTree(join(dir, "checkout"));
  await removeTree(payload);
  await mkdir(payload, { recursive: true, mode: 0o700 });
}
