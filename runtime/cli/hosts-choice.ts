import type { HostsChoice } from "../variants/campaign-request.ts";
import type { ProjectConfig } from "./config/project-config.ts";
import { lanesOf } from "./options/lanes-of.ts";
import type { SidecarChoice } from "./options/parse-sidecar.ts";
import { setupOf } from "./setup-of.ts";
import { VERSION } from "./version.ts";

/** What the command line may say of hosts. */
export interface HostFlags {
  readonly identityFile?: string | undefined;
  readonly acceptNew?: boolean | undefined;
  readonly image?: string | undefined;
  readonly orgId?: string | undefined;
  readonly setup?: string | undefined;
}

/** What of the surroundings matters to hosts. */
export interface HostSurroundings {
  readonly env: Readonly<Record<string, string | undefined>>;
  readonly cwd: string;
}

/** The hosts that `--sidecar` names; `null` for this machine. Connects to nothing. */
export function hostsChoice(
  choice: SidecarChoice,
  flags: HostFlags,
  config: ProjectConfig,
  surroundings: HostSurroundings,
): HostsChoice | null {
  if (choice.kind === "local") return null;
  const image = flags.image ?? config.image;
  const orgId = flags.orgId ?? config.orgId;
  const targets = choice.kind === "ssh" ? choice.targets : [choice.target];
  const withImage = choice.kind === "circleci" && image !== undefined
    ? [...targets, image]
    : targets;
  return {
    label: withImage.join(" "),
    lanes: targets.map(lanesOf),
    setup: setupOf(flags.setup, config),
    open: async (context) => {
      const { openHosts } = await import("../sidecars/open-hosts.ts");
      const { identityFile, acceptNew = false } = flags;
      return await openHosts(choice, {
        ...context,
        ...surroundings,
        acceptNew,
        version: VERSION,
        ...(identityFile === undefined ? {} : { identityFile }),
        ...(image === undefined ? {} : { image }),
        ...(orgId === undefined ? {} : { orgId }),
      });
    },
  };
}
