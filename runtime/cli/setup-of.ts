import type { HostSetup } from "../variants/campaign-request.ts";
import type { ProjectConfig } from "./config/project-config.ts";

/** What runs once on a host: the flag's command, else the configuration's. */
export function setupOf(flag: string | undefined, config: ProjectConfig): HostSetup | null {
  const { setup } = config;
  const lockFiles = typeof setup === "object" ? setup.lockFiles ?? [] : [];
  if (flag !== undefined) return { command: flag, lockFiles };
  if (setup === undefined) return null;
  return { command: typeof setup === "string" ? setup : setup.run, lockFiles };
}
