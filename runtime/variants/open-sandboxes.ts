import { createRemoteProvider } from "../sidecars/remote/remote-provider.ts";
import type { Provider } from "../sidecars/provider.ts";
import type { Payload } from "../sync/payload.ts";
import type { CampaignRequest } from "./campaign-request.ts";
import { openLocalSandboxes } from "./local-sandboxes.ts";
import { messageOf } from "./message-of.ts";
import { report, type Session } from "./session.ts";
import type { StateFolder } from "../state-folder.ts";

/** How long a host of a campaign is anybody's to leave alone, in ms: a day. */
const HOST_TTL_MS = 86_400_000;

/** Where a campaign's commands will run. */
export interface Sandboxes {
  /** The part of the campaign's key that tells this place from others. */
  readonly kind: string;
  /** Opens the sandboxes of one campaign. */
  readonly open: (campaign: string) => Promise<Provider>;
}

/**
 * Finds the place where commands will run: sandboxes of this machine, probed, or hosts.
 *
 * @param closing gets what must be undone, in the order of opening, also where this rejects
 * @throws SidecanaryError `sandbox-unavailable`, `git-failed`, `host-failed`, `usage`
 */
export async function openSandboxes(
  request: CampaignRequest,
  folder: StateFolder,
  payload: Payload,
  context: Pick<Session, "warnings">,
  closing: (() => Promise<void>)[],
): Promise<Sandboxes> {
  const { hosts: choice, clock, random, signal } = request;
  if (choice === null) {
    const provider = await openLocalSandboxes(request, folder, payload);
    closing.push(() => provider.close());
    return { kind: provider.kind, open: () => Promise.resolve(provider) };
  }
  const onNotice = (message: string) =>
    report({ request, warnings: context.warnings }, { type: "warning", message });
  const { dir: stateDir, owner } = folder;
  const hosts = await choice.open({ stateDir, owner, clock, random, signal, onNotice });
  let provider: Provider | undefined;
  let sweeping = Promise.resolve();
  closing.push(async () => {
    await sweeping;
    try {
      await provider?.close();
    } finally {
      await hosts.close();
    }
  });
  return {
    kind: choice.label,
    open: (campaign) => {
      const opened = createRemoteProvider({
        hosts,
        payload,
        owner,
        run: campaign.replaceAll("-", ""),
        lanesPerHost: choice.lanes,
        ttlMs: HOST_TTL_MS,
        ...(choice.setup === null ? {} : { setup: choice.setup }),
        clock,
        onNotice,
      });
      provider = opened;
      sweeping = sweep(opened, onNotice);
      return Promise.resolve(opened);
    },
  };
}

/** What dead campaigns of this working tree have left; never rejects. */
async function sweep(provider: Provider, onNotice: (message: string) => void): Promise<void> {
  try {
    const { removed, failed } = await provider.sweep();
    for (const name of removed) {
      onNotice(`Sidecar ${name} was left by an earlier run; it is gone now`);
    }
    for (const { name, reason } of failed) onNotice(`Sidecar ${name} may be left: ${reason}`);
  } catch (error) {
    onNotice(`Cannot look for sidecars that earlier runs may have left: ${messageOf(error)}`);
  }
}
