import { readFile } from "node:fs/promises";
import { join, resolve } from "node:path";
import { SidecanaryError } from "../../errors.ts";
import { ensureKeyPair } from "../../ssh/ensure-key-pair.ts";
import { fileHostKeyPins } from "../../ssh/pinned-host-keys.ts";
import { readKey } from "../../ssh/read-key.ts";
import type { HostProvider } from "../host-provider.ts";
import type { OpenHostsOptions } from "../open-hosts.ts";
import type { ApiAccess } from "./api-caller.ts";
import { checkToken } from "./check-token.ts";
import { createCircleciHosts } from "./circleci-hosts.ts";
import { SidecarApi } from "./sidecar-api.ts";

const LOOPBACK = /^(localhost|127(\.\d+){3}|\[::1\])$/;

/**
 * The sidecars of a machine that runs `sidecanary sidecar serve`. The token comes from
 * `SIDECANARY_TOKEN`, or the file that `SIDECANARY_TOKEN_FILE` names.
 *
 * @param target `https://host:port`; settings behind `?` are the caller's
 * @throws SidecanaryError `usage` where there is no token, or none that can be one, or plain http
 *   would leave this machine; `host-failed` where the identity file holds no usable key
 */
export async function openSidecarHost(
  target: string,
  options: OpenHostsOptions,
): Promise<HostProvider> {
  const { env, cwd, clock, random, stateDir, identityFile, onNotice, version } = options;
  const url = new URL(target);
  url.search = "";
  url.hash = "";
  const allowed = env["SIDECANARY_INSECURE_HTTP"] === "1";
  if (url.protocol === "http:" && !LOOPBACK.test(url.hostname) && !allowed) {
    throw new SidecanaryError(
      "usage",
      `${url.origin} would send the token in the clear: use https, or set ` +
        "SIDECANARY_INSECURE_HTTP=1 on a network that you trust",
      { option: "--sidecar" },
    );
  }
  const api = new SidecarApi({
    baseUrl: url.href.replace(/\/$/, ""),
    ...await tokenOf(env),
    service: url.host,
    version,
    clock,
    random,
    onWarning: onNotice,
  });
  const key = identityFile === undefined
    ? (await ensureKeyPair(join(stateDir, "keys"))).key
    : await readKey(resolve(cwd, identityFile), {
      passphrase: () => env["SIDECANARY_SSH_PASSPHRASE"],
    });
  return createCircleciHosts({
    api,
    kind: "host",
    org: "sidecanary",
    identity: { kind: "key", key },
    pins: fileHostKeyPins(join(stateDir, "pins")),
    owner: options.owner,
    clock,
    random,
    onWarning: onNotice,
  });
}

async function tokenOf(
  env: OpenHostsOptions["env"],
): Promise<Pick<ApiAccess, "token" | "tokenSource">> {
  const given = env["SIDECANARY_TOKEN"]?.trim();
  if (given) {
    const tokenSource = "SIDECANARY_TOKEN";
    return { token: checkToken(given, tokenSource), tokenSource };
  }
  const path = env["SIDECANARY_TOKEN_FILE"];
  if (!path) {
    throw new SidecanaryError(
      "usage",
      "There is no token for the sidecar host: set SIDECANARY_TOKEN, or SIDECANARY_TOKEN_FILE to " +
        "the file that holds it",
      {},
    );
  }
  let text: string;
  try {
    text = await readFile(path, "utf8");
  } catch (error) {
    const message = `Cannot read the token file ${path}: ${(error as Error).message}`;
    throw new SidecanaryError("usage", message, {}, error);
  }
  return { token: checkToken(text.trim(), path), tokenSource: path };
}
