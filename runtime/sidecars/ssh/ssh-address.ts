import { createHash } from "node:crypto";

/** A host that the user names. */
export interface SshAddress {
  /** `ssh` by TCP, as ssh's configuration says; `wss` and `ws` by a WebSocket. */
  readonly scheme: "ssh" | "wss" | "ws";
  /** A name, an address without brackets, or a `Host` of ssh's configuration. */
  readonly host: string;
  /** @default what ssh's configuration says; 443 and 80 of a WebSocket */
  readonly port?: number;
  /** May be a secret: never shown. @default what ssh's configuration says */
  readonly user?: string;
  /** Of a WebSocket: `/ssh/tunnel`. */
  readonly path?: string;
  /** How many sidecars are to share the host. @default as many as the caller likes */
  readonly lanes?: number;
  /** A private key's file, or the public key of one in the agent. @default ssh's configuration */
  readonly identity?: string;
}

const FORM = "ssh://user@host:port?lanes=N&identity=FILE, or wss://user@host/ssh/tunnel";
const MOST_LANES = 256;

/**
 * Reads `ssh://user@host:port?lanes=N&identity=FILE`, or `wss://user@host/ssh/tunnel` with the same
 * parameters. Only the host is needed; IPv6 is in brackets; `%` begins a byte in hex.
 *
 * @throws RangeError that names what is wrong, and shows no user
 */
export function parseSshTarget(text: string): SshAddress {
  const shown = `"${text.replace(/\/\/[^/]*@/, "//…@")}"`;
  const wrong = (what: string) => new RangeError(`${shown} ${what}. Write ${FORM}`);
  const scheme = /^(ssh|wss|ws):\/\//i.exec(text)?.[1]?.toLowerCase();
  if (scheme === undefined) throw wrong("does not begin with ssh:// or wss://");
  if (!URL.canParse(text)) throw wrong("is no URL: its host or its port is malformed");
  const url = new URL(text);
  const decode = (part: string, name: string) => {
    try {
      return decodeURIComponent(part);
    } catch {
      throw wrong(`has a "%" in its ${name} that is not followed by two hex digits of UTF-8`);
    }
  };
  const host = decode(url.hostname, "host").replace(/^\[(.*)\]$/, "$1");
  if (host === "") throw wrong("names no host");
  if (!/^[\w.:-]+$/.test(host) || host.startsWith("-")) {
    throw wrong("has a character in its host that no host has");
  }
  if (url.password !== "") throw wrong("holds a password: only keys and agents are supported");
  if (url.port === "0") throw wrong("has the port 0");
  if (url.hash !== "") throw wrong('has a "#": write %23 for it');
  if (scheme === "ssh" && !["", "/"].includes(url.pathname)) {
    throw wrong(`has a path, "${url.pathname}", which means nothing here`);
  }
  const user = decode(url.username, "user");
  if (/[\0\r\n]/.test(user)) throw wrong("has a line break in its user");
  return {
    scheme: scheme as SshAddress["scheme"],
    host,
    ...(url.port === "" ? {} : { port: Number(url.port) }),
    ...(user === "" ? {} : { user }),
    ...(scheme === "ssh" ? {} : { path: url.pathname }),
    ...parameters(url, wrong),
  };
}

function parameters(
  url: URL,
  wrong: (what: string) => Error,
): Pick<SshAddress, "lanes" | "identity"> {
  const found: { lanes?: number; identity?: string } = {};
  // A "+" of a query would be read as a space, and file names have both.
  const query = new URLSearchParams(url.search.replaceAll("+", "%2B"));
  for (const [name, value] of query) {
    if (query.getAll(name).length > 1) throw wrong(`has "${name}" twice`);
    if (name === "lanes") {
      if (!/^[1-9]\d{0,2}$/.test(value) || Number(value) > MOST_LANES) {
        throw wrong(`has lanes=${value}, which is no number from 1 to ${MOST_LANES}`);
      }
      found.lanes = Number(value);
    } else if (name === "identity") {
      if (value === "") throw wrong("has an identity that names no file");
      found.identity = value;
    } else throw wrong(`has an unknown parameter, "${name}"`);
  }
  return found;
}

/** The host and the port, where one is given: for people, and without the user. */
export function showAddress(
  { scheme, host, port }: Pick<SshAddress, "scheme" | "host" | "port">,
): string {
  const name = host.includes(":") ? `[${host}]` : host;
  return `${scheme === "ssh" ? "" : `${scheme}://`}${name}${port === undefined ? "" : `:${port}`}`;
}

/** Tells addresses apart, also by user, and gives nothing away. */
export function addressKey({ scheme, host, port, user, path }: SshAddress): string {
  const text = JSON.stringify([scheme, host, port ?? 0, user ?? "", path ?? ""]);
  return createHash("sha256").update(text).digest("hex").slice(0, 12);
}
