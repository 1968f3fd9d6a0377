import { createRemoteProvider } from "../sidecars/remote/remote-provider.ts";
import type { Provider } from "../sidecars/provider.ts";
import type { Payload } from "../sync/payload.ts";
import type { CampaignRequest } from "./campaign-request.ts";
import { openLocalSandboxes } from "./local-sandboxes.ts";
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
  const hosts = await choice.open({ stateDir: folder.dir, clock, random, signal, onNotice });
  let provider: Provider | undefined;
  closing.push(async () => {
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
        owner: folder.owner,
        run: campaign.replaceAll("-", ""),
        lanesPerHost: choice.lanes,
        ttlMs: HOST_TTL_MS,
        ...(choice.setup === null ? {} : { setup: choice.setup }),
        clock,
        random,
        onNotice,
      });
      provider = opened;
      return Promise.resolve(opened);
    },
  };
}
