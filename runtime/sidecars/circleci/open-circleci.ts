import { readFile } from "node:fs/promises";
import { homedir } from "node:os";
import { basename, dirname, join, resolve } from "node:path";
import { SidecanaryError } from "../../errors.ts";
import { ensureKeyPair } from "../../ssh/ensure-key-pair.ts";
import { fileHostKeyPins } from "../../ssh/pinned-host-keys.ts";
import { readKey } from "../../ssh/read-key.ts";
import type { HostProvider } from "../host-provider.ts";
import type { OpenHostsOptions } from "../open-hosts.ts";
import { chooseOrg } from "./choose-org.ts";
import { createCircleciHosts } from "./circleci-hosts.ts";
import { type ChunkFile, circleciSettings } from "./settings.ts";
import { SidecarApi } from "./sidecar-api.ts";

/**
 * CircleCI's sidecars, with the token, organisation and image that chunk would take.
 *
 * @throws SidecanaryError `usage` where the token or the organisation is missing, `config-invalid`,
 *   `host-failed`
 */
export async function openCircleci(options: OpenHostsOptions): Promise<HostProvider> {
  const { env, cwd, clock, random, signal, stateDir, identityFile, onNotice, version } = options;
  const chunkConfig = await nearest(cwd, join(".chunk", "config.json"));
  const userConfig = await readChunkFile(
    join(env["XDG_CONFIG_HOME"] || join(env["HOME"] || homedir(), ".config"), "chunk/config.json"),
  );
  const settings = circleciSettings({
    flags: {
      ...(options.orgId === undefined ? {} : { org: options.orgId }),
      ...(options.image === undefined ? {} : { image: options.image }),
    },
    env,
    ...(chunkConfig === undefined ? {} : { chunkConfig }),
    ...(userConfig === undefined ? {} : { userConfig }),
    repo: basename(cwd) || "root",
  });
  const key = identityFile === undefined
    ? (await ensureKeyPair(join(stateDir, "keys"))).key
    : await readKey(resolve(cwd, identityFile), {
      passphrase: () => env["SIDECANARY_SSH_PASSPHRASE"],
    });
  const api = new SidecarApi({
    ...settings.access,
    version,
    clock,
    random,
    onWarning: onNotice,
  });
  return createCircleciHosts({
    api,
    org: await chooseOrg(api, settings.org, signal),
    ...(settings.image === undefined ? {} : { image: settings.image }),
    identity: { kind: "key", key },
    pins: fileHostKeyPins(join(stateDir, "pins")),
    owner: options.owner,
    clock,
    random,
    onWarning: onNotice,
  });
}

/** The file of this name in `folder` or the nearest folder above it. */
async function nearest(folder: string, name: string): Promise<ChunkFile | undefined> {
  for (let at = folder;; at = dirname(at)) {
    const found = await readChunkFile(join(at, name));
    if (found !== undefined || dirname(at) === at) return found;
  }
}

async function readChunkFile(path: string): Promise<ChunkFile | undefined> {
  let text: string;
  try {
    text = await readFile(path, "utf8");
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException;
    if (code === "ENOENT" || code === "ENOTDIR") return undefined;
    throw invalid(path, error);
  }
  try {
    return { path, value: JSON.parse(text.replace(/^\uFEFF/, "")) };
  } catch (error) {
    throw invalid(path, error);
  }
}

function invalid(path: string, error: unknown): SidecanaryError {
  const why = error instanceof Error ? error.message : String(error);
  return new SidecanaryError("config-invalid", `Cannot read ${path}: ${why}`, { path }, error);
}
