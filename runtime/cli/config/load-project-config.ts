import { dirname } from "node:path";
import * as v from "valibot";
import { SidecanaryError } from "../../errors.ts";
import { parseDuration } from "../options/parse-duration.ts";
import { parseJobs } from "../options/parse-jobs.ts";
import { parseKillExitCodes } from "../options/parse-kill-exit-codes.ts";
import { findUp } from "./find-up.ts";
import { type ProjectConfig, projectConfigSchema } from "./project-config.ts";
import { readJson } from "./read-json.ts";

/** A `sidecanary.json` that was found. */
export interface LoadedConfig {
  readonly path: string;
  /** Where its commands run. */
  readonly folder: string;
  readonly config: ProjectConfig;
}

/**
 * Loads `sidecanary.json`: the file that is given, else the nearest one above `cwd`.
 *
 * @throws SidecanaryError `config-invalid` naming the file and the field
 */
export function loadProjectConfig(cwd: string, given?: string): LoadedConfig | undefined {
  const path = given ?? findUp(cwd, "sidecanary.json");
  if (path === undefined) return undefined;
  const value = readJson(path);
  // valibot takes an array for an object without fields.
  const result = v.safeParse(projectConfigSchema, Array.isArray(value) ? null : value);
  if (result.success) {
    refuseMeaningless(result.output, path);
    return { path, folder: dirname(path), config: result.output };
  }
  const { field, message } = blame(result.issues[0]);
  const where = field === "" ? path : `${path}: ${field}`;
  throw new SidecanaryError("config-invalid", `${where} ${message}`, { path, field });
}

/** What has the right shape and still means nothing: `"0s"`, `"5-1"`. */
function refuseMeaningless(config: ProjectConfig, path: string): void {
  const refuse = (field: string, parse: () => unknown): void => {
    try {
      parse();
    } catch (error) {
      if (!(error instanceof RangeError)) throw error;
      const message = `${path}: ${field}: ${error.message}`;
      throw new SidecanaryError("config-invalid", message, { path, field }, error);
    }
  };
  const { jobs, timeout, minimumTimeout, killExitCodes } = config;
  if (jobs !== undefined) refuse("jobs", () => parseJobs(jobs, 1));
  if (timeout !== undefined) refuse("timeout", () => parseDuration(timeout));
  if (minimumTimeout !== undefined) refuse("minimumTimeout", () => parseDuration(minimumTimeout));
  if (killExitCodes !== undefined) refuse("killExitCodes", () => parseKillExitCodes(killExitCodes));
  for (const list of ["builds", "commands"] as const) {
    for (const [index, command] of (config[list] ?? []).entries()) {
      if (typeof command === "string" || command.timeout === undefined) continue;
      const { timeout } = command;
      refuse(`${list}.${index}.timeout`, () => parseDuration(timeout));
    }
  }
}

interface Issue {
  readonly message: string;
  readonly input: unknown;
  readonly expected: string | null;
  readonly issues?: readonly v.BaseIssue<unknown>[] | undefined;
}

/** Of a union's issues the one about the shape that was meant: an object means the object. */
function blame(issue: v.BaseIssue<unknown>): { field: string; message: string } {
  const field = v.getDotPath(issue as v.BaseIssue<unknown>) ?? "";
  const inner = meant(issue);
  const rest = inner === undefined ? null : v.getDotPath(inner);
  return {
    field: [field, rest].filter((part) => part !== null && part !== "").join("."),
    message: inner?.message ?? issue.message,
  };
}

function meant({ input, issues }: Issue): v.BaseIssue<unknown> | undefined {
  if (typeof input !== "object" || input === null || Array.isArray(input)) return undefined;
  return issues?.find((issue) => issue.path !== undefined);
}
