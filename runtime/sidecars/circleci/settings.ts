import * as v from "valibot";
import { SidecanaryError } from "../../errors.ts";
import type { ApiAccess } from "./api-caller.ts";
import { checkToken } from "./check-token.ts";

/** A configuration file of chunk's that was read and parsed. */
export interface ChunkFile {
  readonly path: string;
  readonly value: unknown;
}

/** What decides on the settings. */
export interface CircleciInput {
  readonly flags: {
    readonly org?: string;
    readonly image?: string;
    readonly workdir?: string;
  };
  readonly env: Readonly<Record<string, string | undefined>>;
  /** The project's `.chunk/config.json`. */
  readonly chunkConfig?: ChunkFile;
  /** The user's `chunk/config.json` in `$XDG_CONFIG_HOME` or `~/.config`. */
  readonly userConfig?: ChunkFile;
  /** The name of the repository, for the folder on the sidecar. */
  readonly repo?: string;
}

/** How CircleCI's sidecars are used. */
export interface CircleciSettings {
  readonly access: ApiAccess;
  /** Where none is given, `chooseOrg` asks CircleCI. */
  readonly org?: string;
  /** The id of a snapshot. */
  readonly image?: string;
  /** The folder of the project on the sidecar. */
  readonly workspace: string;
}

const text = v.optional(v.string("must be a text"));
const projectFile = v.object(
  { orgID: text, validation: v.optional(v.object({ sidecarImage: text }, "must be an object")) },
  "must hold an object",
);
const userFile = v.object({ circleCIToken: text }, "must hold an object");

/**
 * The settings, with the precedence that chunk's variants have:
 *
 * - token: `CIRCLE_TOKEN`, `CIRCLECI_TOKEN`, the user's file
 * - base: `CIRCLECI_BASE_URL`, `https://circleci.com`
 * - organisation: flag, `orgID` of the project, `CIRCLECI_ORG_ID`
 * - image: flag, `validation.sidecarImage` of the project
 * - workspace: flag, `<$CHUNK_SIDECAR_HOME or /home/user>/<repo>`
 *
 * An empty text is as none at all.
 *
 * @throws SidecanaryError `usage` where there is no token, or something cannot be used;
 *   `config-invalid` where a file holds something else
 */
export function circleciSettings(
  { flags, env, chunkConfig, userConfig, repo }: CircleciInput,
): CircleciSettings {
  const project = parse(projectFile, chunkConfig);
  const org = first(flags.org, project?.orgID, env["CIRCLECI_ORG_ID"]);
  const image = first(flags.image, project?.validation?.sidecarImage);
  return {
    access: {
      baseUrl: baseUrl(first(env["CIRCLECI_BASE_URL"]) ?? "https://circleci.com"),
      ...token(env, userConfig),
      service: "CircleCI",
    },
    ...(org === undefined ? {} : { org }),
    ...(image === undefined ? {} : { image }),
    workspace: workspace(flags.workdir, env["CHUNK_SIDECAR_HOME"], repo),
  };
}

function token(
  env: CircleciInput["env"],
  userConfig: ChunkFile | undefined,
): { readonly token: string; readonly tokenSource: string } {
  for (const source of ["CIRCLE_TOKEN", "CIRCLECI_TOKEN"]) {
    const value = first(env[source]);
    if (value !== undefined) return { token: checkToken(value, source), tokenSource: source };
  }
  const stored = first(parse(userFile, userConfig)?.circleCIToken);
  if (stored === undefined || userConfig === undefined) {
    throw new SidecanaryError(
      "usage",
      "There is no token for CircleCI: set CIRCLE_TOKEN to a personal API token " +
        "(CircleCI, User Settings, Personal API Tokens)",
      {},
    );
  }
  return { token: checkToken(stored, userConfig.path), tokenSource: userConfig.path };
}

function baseUrl(text: string): string {
  const url = URL.canParse(text) ? new URL(text) : undefined;
  const usable = url !== undefined && /^https?:$/.test(url.protocol) && url.username === "" &&
    url.password === "";
  if (usable) return `${url.origin}${url.pathname.replace(/\/+$/, "")}`;
  throw new SidecanaryError(
    "usage",
    "CIRCLECI_BASE_URL must be an address like https://circleci.com, without a user name in it",
    {},
  );
}

function workspace(
  flag: string | undefined,
  home: string | undefined,
  repo: string | undefined,
): string {
  const given = first(flag);
  if (given !== undefined) return given;
  const name = first(repo);
  if (name === undefined) {
    throw new SidecanaryError(
      "usage",
      "The name of the repository is not known, so neither is its folder on the sidecar: " +
        "give --workdir",
      { option: "--workdir" },
    );
  }
  return `${(first(home) ?? "/home/user").replace(/\/+$/, "")}/${name}`;
}

function parse<Schema extends v.GenericSchema>(
  schema: Schema,
  file: ChunkFile | undefined,
): v.InferOutput<Schema> | undefined {
  if (file === undefined) return undefined;
  const { path, value } = file;
  const result = v.safeParse(schema, Array.isArray(value) ? null : value);
  if (result.success) return result.output;
  const field = v.getDotPath(result.issues[0]) ?? "the file";
  const message = `${path}: ${field} ${result.issues[0].message}`;
  throw new SidecanaryError("config-invalid", message, { path, field });
}

function first(...values: readonly (string | undefined)[]): string | undefined {
  return values.map((value) => value?.trim()).find((value) => value);
}
