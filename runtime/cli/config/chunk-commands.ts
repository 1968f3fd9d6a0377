import { dirname } from "node:path";
import { SidecanaryError } from "../../errors.ts";
import type { ProjectCommand } from "../../variants/campaign-request.ts";
import { expandTemplates } from "./changed-packages.ts";
import { findUp } from "./find-up.ts";
import { readJson } from "./read-json.ts";

/** The commands that `.chunk/config.json` gives. */
export interface ChunkCommands {
  readonly path: string;
  readonly folder: string;
  readonly commands: readonly ProjectCommand[];
  /** Names of the commands that are left out: `remote` is not true, and none asked for them by name. */
  readonly local: readonly string[];
}

interface Entry {
  readonly name: string;
  readonly run: string;
  readonly remote: boolean;
  readonly timeoutMs: number | null;
}

/**
 * The commands of the nearest `.chunk/config.json` with `remote: true`, as chunk runs them; a
 * command asked for by name needs no `remote`. Timeouts are in seconds; 0 is no budget of its own.
 *
 * @throws SidecanaryError `config-invalid` naming the file and the field
 */
export function chunkCommands(cwd: string, only?: string): ChunkCommands | undefined {
  const path = findUp(cwd, ".chunk/config.json");
  if (path === undefined) return undefined;
  const folder = dirname(dirname(path));
  const entries = read(path);
  const chosen = entries.filter(({ name, remote }) => only === undefined ? remote : name === only);
  return {
    path,
    folder,
    commands: chosen.map(({ name, run, timeoutMs }) => ({
      name,
      run: expandTemplates(run, folder, path, name),
      timeoutMs,
    })),
    local: entries.filter((entry) => !chosen.includes(entry)).map(({ name }) => name),
  };
}

function read(path: string): Entry[] {
  const value = readJson(path);
  const fail = (field: string, message: string): never => {
    throw new SidecanaryError("config-invalid", `${path}: ${field} ${message}`, { path, field });
  };
  if (!isObject(value)) return fail("the file", "must hold an object");
  const { commands = [] } = value;
  if (!Array.isArray(commands)) return fail("commands", "must be an array");
  return commands.map((entry: unknown, index): Entry => {
    const at = `commands.${index}`;
    if (!isObject(entry)) return fail(at, "must be an object");
    const { name, run, remote = false, timeout = 0 } = entry;
    if (typeof name !== "string" || name === "") return fail(`${at}.name`, "must be a text");
    if (typeof run !== "string" || run.trim() === "") return fail(`${at}.run`, "must be a text");
    if (typeof timeout !== "number" || !(timeout >= 0)) {
      return fail(`${at}.timeout`, "must be a number of seconds");
    }
    return { name, run, remote: remote === true, timeoutMs: timeout > 0 ? timeout * 1000 : null };
  });
}

function isObject(value: unknown): value is Readonly<Record<string, unknown>> {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}
