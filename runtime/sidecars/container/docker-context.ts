import { createHash } from "node:crypto";
import { readFile } from "node:fs/promises";
import { join } from "node:path";
import { hostFailed } from "../host-failed.ts";
import { errnoOf } from "./container-fault.ts";

/**
 * The address of the service that `docker context use` chose, or `$DOCKER_CONTEXT`: how Docker
 * Desktop, Colima and others say where they listen.
 *
 * @returns `undefined` for the default context
 * @throws SidecanaryError `host-failed` with the fault `config` where the files of Docker's command
 *   line cannot be read, or know no such context
 */
export async function dockerContext(
  env: Readonly<Record<string, string | undefined>>,
): Promise<string | undefined> {
  const home = env["DOCKER_CONFIG"] || (env["HOME"] && join(env["HOME"], ".docker"));
  if (!home) return undefined;
  const name = env["DOCKER_CONTEXT"] || await chosen(join(home, "config.json"));
  if (name === undefined || name === "default") return undefined;
  const hash = createHash("sha256").update(name).digest("hex");
  const path = join(home, "contexts/meta", hash, "meta.json");
  const host = member(member(member(await json(path), "Endpoints"), "docker"), "Host");
  if (typeof host === "string" && host !== "") return host;
  throw refused(`docker context "${name}" names no service in ${path}; see docker context ls`);
}

async function chosen(path: string): Promise<string | undefined> {
  const name = member(await json(path), "currentContext");
  return typeof name === "string" && name !== "" ? name : undefined;
}

/** `undefined` where there is no such file. */
async function json(path: string): Promise<unknown> {
  try {
    return JSON.parse(await readFile(path, "utf8"));
  } catch (error) {
    if (errnoOf(error) === "ENOENT") return undefined;
    throw refused(`${path} cannot be read as JSON; mend it, or set DOCKER_HOST`, error);
  }
}

function member(value: unknown, name: string): unknown {
  if (typeof value !== "object" || value === null) return undefined;
  return (value as Readonly<Record<string, unknown>>)[name];
}

function refused(message: string, cause?: unknown) {
  return hostFailed(
    `The container service is unknown: ${message}`,
    { host: "docker", fault: "config", kind: "never" },
    cause,
  );
}
