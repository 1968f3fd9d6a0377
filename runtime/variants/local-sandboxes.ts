import { mkdir } from "node:fs/promises";
import { join } from "node:path";
import { openLocalProvider } from "../sidecars/local/open-local-provider.ts";
import { removeTree } from "../sidecars/local/remove-tree.ts";
import type { Provider } from "../sidecars/provider.ts";
import type { StateFolder } from "../state-folder.ts";
import type { Payload } from "../sync/payload.ts";
import type { CampaignRequest } from "./campaign-request.ts";

/**
 * The sandboxes of this machine for a campaign.
 *
 * @throws SidecanaryError `sandbox-unavailable`, `git-failed`
 */
export async function openLocalSandboxes(
  { isolation, signal }: CampaignRequest,
  folder: StateFolder,
  payload: Payload,
): Promise<Provider> {
  const checkout = join(folder.dir, "checkout");
  return await openLocalProvider({ payload, checkout, scratch: folder.work, isolation, signal });
}

/** Removes what only one process has a use for: its payload, and what was written of it. */
export async function emptyFolders({ dir, payload }: StateFolder): Promise<void> {
  await removeTree(join(dir, "checkout"));
  await removeTree(payload);
  await mkdir(payload, { recursive: true, mode: 0o700 });
}
