import { SidecanaryError } from "../errors.ts";

const SUFFIX = "/ssh/tunnel";
const SCHEMES: Readonly<Record<string, string>> = {
  "http:": "ws:",
  "https:": "wss:",
  "ws:": "ws:",
  "wss:": "wss:",
};

/**
 * The WebSocket address of a sidecar's tunnel: `http` is `ws` and `https` is `wss`, a bare host is
 * `ws`, and the path ends in `/ssh/tunnel`.
 *
 * @param text `host`, `host:port`, or an address with one of these schemes
 * @throws SidecanaryError `usage`
 */
export function tunnelUrl(text: string): URL {
  const full = text.includes("://") ? text : `ws://${text}`;
  const url = URL.canParse(full) ? new URL(full) : null;
  const scheme = url === null ? undefined : SCHEMES[url.protocol];
  if (url === null || scheme === undefined || url.hostname === "") {
    throw new SidecanaryError(
      "usage",
      `"${withoutSecrets(text)}" is no address of a tunnel: use wss://host, https://host or host`,
      {},
    );
  }
  const path = url.pathname.replace(/\/+$/, "");
  const port = url.port === "" ? "" : `:${url.port}`;
  const user = url.username === "" ? "" : `${url.username}:${url.password}@`;
  const suffix = path.endsWith(SUFFIX) ? "" : SUFFIX;
  return new URL(`${scheme}//${user}${url.hostname}${port}${path}${suffix}${url.search}`);
}

/** What may be shown of an address: no user, no password, no query. */
export function withoutSecrets(address: string | URL): string {
  return String(address).replace(/[?#].*$/s, "").replace(/\/\/[^/]*@/, "//");
}
