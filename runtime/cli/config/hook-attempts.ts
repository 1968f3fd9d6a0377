import { SidecanaryError } from "../../errors.ts";
import { findUp } from "./find-up.ts";
import { loadProjectConfig } from "./load-project-config.ts";
import { readJson } from "./read-json.ts";

const ATTEMPTS = 3;

/**
 * How often in a row a failing stop hook sends its agent back to work: `stopHookMaxAttempts` of
 * `sidecanary.json`, else of `.chunk/config.json`, else 3.
 *
 * @throws SidecanaryError `config-invalid`
 */
export function hookAttempts(cwd: string): number {
  const own = loadProjectConfig(cwd)?.config.stopHookMaxAttempts;
  if (own !== undefined) return own;
  const path = findUp(cwd, ".chunk/config.json");
  if (path === undefined) return ATTEMPTS;
  const value = readJson(path);
  const { stopHookMaxAttempts: count = ATTEMPTS } = (value ?? {}) as Record<string, unknown>;
  if (typeof count === "number" && Number.isInteger(count) && count >= 0) return count;
  const field = "stopHookMaxAttempts";
  throw new SidecanaryError("config-invalid", `${path}: ${field} must be a number from 0`, {
    path,
    field,
  });
}
