import { randomBytes } from "node:crypto";
import { appendFile, mkdir, open, readFile } from "node:fs/promises";
import { dirname } from "node:path";
import { hostFailed } from "../sidecars/host-failed.ts";
import { hostKeyAlgorithms } from "./host-key-algorithms.ts";
import type { HostKeyPolicy, HostKeyVerdict } from "./host-key-policy.ts";
import { hashName, type KnownHostsLine, namesMatch, parseKnownHosts } from "./known-hosts-file.ts";
import { fingerprint, keyTypeOf, publicKeyLine } from "./wire.ts";

/** Which files decide on a host's key, and how. */
export interface KnownHostsOptions {
  /** What the host is known by: its name or address, or its `HostKeyAlias`. */
  readonly host: string;
  /** @default 22; of no meaning where `host` is an alias */
  readonly port?: number;
  /** The user's files; a key that is accepted is added to the first. Missing ones are empty. */
  readonly userFiles: readonly string[];
  /** @default [] */
  readonly globalFiles?: readonly string[];
  /**
   * Accept the key of a host that no file speaks of, and add it. A key that differs is refused all
   * the same.
   * @default false
   */
  readonly acceptNew?: boolean;
  /**
   * Add names as hashes.
   * @default false
   */
  readonly hashNames?: boolean;
  /**
   * A command that shows the host's key, for the message about one that is not known.
   * @default `ssh-keyscan` of the host
   */
  readonly showCommand?: string;
}

/**
 * Trusts hosts by known_hosts files, as OpenSSH does with `StrictHostKeyChecking yes`, or
 * `accept-new`. Differences: a host that is known by keys of other types only is not new, so
 * `acceptNew` does not take a key of yet another type; certificates are never trusted.
 *
 * @throws SidecanaryError `host-failed` with the fault `config` where a file cannot be read
 */
export async function knownHostsPolicy(options: KnownHostsOptions): Promise<HostKeyPolicy> {
  const { port = 22 } = options;
  const host = options.host.toLowerCase();
  const name = port === 22 ? host : `[${host}]:${port}`;
  const about: KnownHostsLine[] = [];
  const withoutPort: KnownHostsLine[] = [];
  const remarks: string[] = [];
  for (const file of [...options.userFiles, ...(options.globalFiles ?? [])]) {
    const { lines, malformed } = parseKnownHosts(file, await read(file, name));
    if (malformed.length > 0) {
      remarks.push(`${file} has lines that cannot be read: ${malformed.join(", ")}.`);
    }
    for (const line of lines) {
      if (namesMatch(line.names, name)) about.push(line);
      else if (port !== 22 && namesMatch(line.names, host)) withoutPort.push(line);
    }
  }
  for (const { file, line, marker } of about) {
    if (marker !== "cert-authority") continue;
    remarks.push(`${file}:${line} trusts a certificate authority, which is not supported.`);
  }
  const known = about.filter(({ marker }) => marker === "none");
  // As ssh does: a line without a port vouches for a key, but does not make another one wrong.
  const vouching = withoutPort.filter(({ marker }) => marker === "none");
  return {
    algorithms: hostKeyAlgorithms((known.length > 0 ? known : vouching).map(({ key }) => key)),
    verify: async (key): Promise<HostKeyVerdict> => {
      const is = (line: KnownHostsLine) => sameKey(line.key, key);
      const shown = `${name} showed the ${keyTypeOf(key) ?? "unknown"} key ${fingerprint(key)}`;
      const revoked = [...about, ...withoutPort].find((line) =>
        line.marker === "revoked" && is(line)
      );
      if (revoked !== undefined) {
        return {
          ok: false,
          fault: "host-key-revoked",
          message: `${shown}, which ${revoked.file}:${revoked.line} revokes. Do not connect to it`,
        };
      }
      if (known.some(is) || known.length === 0 && vouching.some(is)) return { ok: true };
      const same = known.find((line) => keyTypeOf(line.key) === keyTypeOf(key));
      if (same !== undefined) {
        return {
          ok: false,
          fault: "host-key-changed",
          message: `${shown}, but ${same.file}:${same.line} has ${fingerprint(same.key)}. Either ` +
            "somebody answers in its place, or it was installed anew. In the second case remove " +
            `that line: ssh-keygen -R ${quote(name)} -f ${quote(same.file)}`,
        };
      }
      if (known.length === 0 && options.acceptNew === true) {
        await add(options, name, key);
        return { ok: true };
      }
      return { ok: false, fault: "host-key-unknown", message: unknown(shown, key) };
    },
  };

  function unknown(shown: string, key: Uint8Array): string {
    const others = known.map(({ file, line, key }) =>
      `${file}:${line} knows it by a key of another type, ${keyTypeOf(key)}.`
    );
    const show = options.showCommand ??
      `ssh-keyscan -t ${scanType(key)} -p ${port} ${quote(host)} | ssh-keygen -lf -`;
    const file = options.userFiles[0] ?? "your known_hosts file";
    return [
      `${shown}, which is not known.`,
      ...others,
      ...remarks,
      `Compare the fingerprint on the host (${show} shows it from here), then add this line to ` +
      `${file}: ${name} ${publicKeyLine(key)}`,
    ].join(" ");
  }
}

async function read(file: string, host: string): Promise<string> {
  try {
    return await readFile(file, "latin1");
  } catch (error) {
    const { code, message } = error as NodeJS.ErrnoException;
    if (code === "ENOENT" || code === "ENOTDIR") return "";
    throw hostFailed(
      `Cannot read the known hosts in ${file}: ${message}`,
      { host, fault: "config", kind: "never" },
      error,
    );
  }
}

/** One write at the end of the file, so that no two processes write into each other's lines. */
async function add(options: KnownHostsOptions, name: string, key: Uint8Array): Promise<void> {
  const [file] = options.userFiles;
  if (file === undefined) return;
  const shown = options.hashNames === true ? hashName(name, randomBytes(20)) : name;
  try {
    await mkdir(dirname(file), { recursive: true, mode: 0o700 });
    const gap = await endsInLine(file) ? "" : "\n";
    await appendFile(file, `${gap}${shown} ${publicKeyLine(key)}\n`, { mode: 0o600 });
  } catch (error) {
    throw hostFailed(
      `Cannot add the key of ${name} to ${file}: ${(error as Error).message}`,
      { host: name, fault: "config", kind: "never" },
      error,
    );
  }
}

/** An editor may have left the last line without its end. */
async function endsInLine(file: string): Promise<boolean> {
  let handle;
  try {
    handle = await open(file, "r");
    const { size } = await handle.stat();
    if (size === 0) return true;
    const { buffer, bytesRead } = await handle.read(new Uint8Array(1), 0, 1, size - 1);
    return bytesRead === 0 || buffer[0] === 0x0a;
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === "ENOENT") return true;
    throw error;
  } finally {
    await handle?.close();
  }
}

function sameKey(a: Uint8Array, b: Uint8Array): boolean {
  return a.length === b.length && a.every((byte, at) => byte === b[at]);
}

function scanType(key: Uint8Array): string {
  const type = keyTypeOf(key) ?? "";
  return type.startsWith("ecdsa-") ? "ecdsa" : type.replace(/^ssh-/, "");
}

/** For a line that is pasted into a shell. */
function quote(word: string): string {
  return /^[\w@%+=:,./-]+$/.test(word) ? word : `'${word.replaceAll("'", `'\\''`)}'`;
}
