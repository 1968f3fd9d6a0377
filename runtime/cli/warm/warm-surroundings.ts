import type { Clock } from "../../clock.ts";
import { SidecanaryError } from "../../errors.ts";
import type { Random } from "../../random.ts";
import type { HostProvider } from "../../sidecars/host-provider.ts";
import { openStateFolder, type StateFolder } from "../../state-folder.ts";
import { runGit } from "../../sync/git.ts";
import { locate, type Location } from "../../sync/locate.ts";
import { type WarmKey, warmKey } from "../../warm/warm-key.ts";
import type { WarmContext } from "../../warm/warm-sidecar.ts";
import type { Where } from "../../warm/where.ts";
import { chunkImage } from "../config/chunk-image.ts";
import { type LoadedConfig, loadProjectConfig } from "../config/load-project-config.ts";
import { hostsChoice } from "../hosts-choice.ts";
import { type CliIo, write } from "../io.ts";
import { parseSidecars } from "../options/parse-sidecar.ts";
import type { WarmFlags } from "../program/warm-options.ts";
import { stateHomeOf } from "../settings.ts";
import { sanitise } from "../views/sanitise.ts";
import { isAbsolute, resolve } from "node:path";

/** What is not of the process. */
export interface WarmCliPorts {
  readonly clock: Clock;
  readonly random: Random;
  /** Opens the hosts of a choice. @default those that `--sidecar` names */
  readonly open?: (where: Where, context: WarmContext) => Promise<HostProvider>;
}

/** What every command over warm sidecars needs. */
export interface WarmSurroundings {
  readonly config: LoadedConfig | undefined;
  readonly place: Location;
  readonly folder: StateFolder;
  readonly context: WarmContext;
}

/** How long a sidecar may stay where nobody says it: 4 hours. */
export const TTL_MS = 4 * 3_600_000;

/** Loads the configuration, and opens the working tree's state folder. Connects to nothing. */
export async function warmSurroundings(
  flags: WarmFlags,
  io: CliIo,
  ports: WarmCliPorts,
  signal: AbortSignal,
): Promise<WarmSurroundings> {
  const { clock, random } = ports;
  const given = flags.config === undefined
    ? undefined
    : isAbsolute(flags.config)
    ? flags.config
    : resolve(io.cwd, flags.config);
  const config = loadProjectConfig(io.cwd, given);
  const place = await locate(io.cwd, signal);
  const wanted = wantedOf(flags, config, io);
  const folder = await openStateFolder(stateHomeOf(io.env), place.root);
  const context: WarmContext = {
    folder,
    clock,
    random,
    signal,
    onNotice: (message) => void write(io.stderr, `sidecanary: ${sanitise(message)}\n`),
    open: (where) => {
      // A key's file that has moved since is found where the flags say.
      const isWanted = wanted.kind === "hosts" && wanted.where.label === where.label;
      return (ports.open ?? open)(isWanted ? { ...where, ...wanted.where } : where, context);
    },
  };
  const open = (where: Where): Promise<HostProvider> => {
    const { sidecars, image, orgId, identityFile, acceptNew } = where;
    const choice = hostsChoice(
      parseSidecars(sidecars),
      { image, orgId, identityFile, acceptNew },
      {},
      io,
    );
    if (choice === null) throw new TypeError("a warm sidecar is not on this machine");
    const { onNotice } = context;
    return choice.open({
      stateDir: folder.dir,
      owner: folder.owner,
      clock,
      random,
      signal,
      onNotice,
    });
  };
  return { config, place, folder, context };
}

/** Where flags and configuration want commands to run. */
export type Wanted =
  | { readonly kind: "hosts"; readonly where: Where }
  | { readonly kind: "local"; readonly isolation: "auto" | "overlay" | "reflink" | "copy" }
  /** Nothing was said. */
  | { readonly kind: "none" };

/**
 * What flags, else the configuration, say of where commands run. An image without anything else is
 * CircleCI's, also that of `.chunk/config.json`. Nothing said is never this machine.
 *
 * @throws SidecanaryError `config-invalid`, and `usage` where the values mean nothing together
 */
export function wantedOf(
  flags: WarmFlags,
  config: LoadedConfig | undefined,
  io: Pick<CliIo, "env" | "cwd">,
): Wanted {
  const { sidecar: ofConfig = [], image: ofFile, orgId: orgOfFile } = config?.config ?? {};
  const { orgId = orgOfFile, identityFile, acceptNew } = flags;
  const given = flags.sidecar !== undefined && flags.sidecar.length > 0
    ? flags.sidecar
    : typeof ofConfig === "string"
    ? [ofConfig]
    : ofConfig;
  const named = flags.image ?? ofFile;
  const image = named ?? (given.length === 0 ? chunkImage(io.cwd) : undefined);
  const sidecars = given.length === 0 && image !== undefined ? ["circleci"] : given;
  if (sidecars.length === 0) return { kind: "none" };
  try {
    const choice = parseSidecars(sidecars);
    if (choice.kind === "local") return choice;
    const label = hostsChoice(choice, { image, orgId }, {}, io)?.label ?? "";
    return {
      kind: "hosts",
      where: {
        label,
        sidecars,
        ...(image === undefined ? {} : { image }),
        ...(orgId === undefined ? {} : { orgId }),
        ...(identityFile === undefined ? {} : { identityFile: resolve(io.cwd, identityFile) }),
        ...(acceptNew === undefined ? {} : { acceptNew }),
      },
    };
  } catch (error) {
    if (!(error instanceof RangeError)) throw error;
    throw new SidecanaryError("usage", error.message, { option: "--sidecar" }, error);
  }
}

/**
 * {@link wantedOf} for a command that needs a sidecar that stays.
 *
 * @throws SidecanaryError `usage` for this machine
 */
export function whereOf(...args: Parameters<typeof wantedOf>): Where | undefined {
  const wanted = wantedOf(...args);
  switch (wanted.kind) {
    case "hosts":
      return wanted.where;
    case "none":
      return undefined;
    case "local":
      throw new SidecanaryError(
        "usage",
        "No sidecar stays on this machine: give --sidecar docker:IMAGE, ssh://user@host, circleci " +
          "or https://host",
        { option: "--sidecar" },
      );
  }
}

/** The key of the sidecar that is meant: by name, else the session's, else the tree's and branch's. */
export async function keyOf(
  { name, session }: Pick<WarmFlags, "name" | "session">,
  env: CliIo["env"],
  { root, repository }: Location,
  signal: AbortSignal,
  ofHook?: string,
): Promise<WarmKey> {
  if (name !== undefined && name !== "") return warmKey({ kind: "name", name });
  const id = sessionOf(session, env, ofHook);
  if (id !== undefined) return warmKey({ kind: "session", session: id });
  return warmKey({ kind: "tree", root, branch: repository ? await branchOf(root, signal) : "" });
}

/** Whose session this is: flag, then environment, then what a hook said. An empty one is none. */
export function sessionOf(
  flag: string | undefined,
  env: CliIo["env"],
  ofHook?: string,
): string | undefined {
  const { SIDECANARY_SESSION, CLAUDE_CODE_SESSION_ID, CHUNK_SESSION_ID } = env;
  return [flag, SIDECANARY_SESSION, CLAUDE_CODE_SESSION_ID, CHUNK_SESSION_ID, ofHook]
    .find((each) => each !== undefined && each !== "");
}

async function branchOf(root: string, signal: AbortSignal): Promise<string> {
  const args = ["symbolic-ref", "--quiet", "HEAD"];
  const found = await runGit(args, { cwd: root, config: "user", signal });
  if (found.exitCode !== 0) return "";
  return found.stdout.toString("utf8").trim().replace(/^refs\/heads\//, "");
}
