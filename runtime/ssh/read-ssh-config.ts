import { readdir, readFile } from "node:fs/promises";
import { basename, dirname, isAbsolute, join } from "node:path";
import SshConfig, { type Line } from "ssh-config";
import { hostFailed } from "../sidecars/host-failed.ts";
import type { SshConfigQuery } from "./ssh-config.ts";

/** As OpenSSH has it (`READCONF_MAX_DEPTH`). */
const DEEPEST_INCLUDE = 16;
/** What ssh-config decides as ssh does. */
const CRITERIA = new Set(["all", "host", "originalhost", "user", "localuser"]);

/**
 * What the files of ssh's configuration say of a host, by keyword in small letters: for machines
 * without the ssh program. What these files alone cannot tell is an error, never a guess.
 *
 * @throws SidecanaryError `host-failed` with the fault `config`
 */
export async function readSshConfig(
  query: SshConfigQuery,
): Promise<ReadonlyMap<string, string[]>> {
  const own = query.configFile;
  const files = own === undefined
    ? [join(query.home, ".ssh", "config"), "/etc/ssh/ssh_config"]
    : [own];
  const texts = [];
  for (const file of files) {
    const folder = file.startsWith("/etc/") ? "/etc/ssh" : join(query.home, ".ssh");
    const text = await read(file, query.host);
    if (text === undefined && own !== undefined) {
      throw refused(query.host, `There is no configuration for ssh at ${file}`);
    }
    texts.push(await include(text ?? "", file, folder, query, 0));
  }
  // Every file begins outside of any block.
  const config = parse(texts.join("\nHost *\n"), query.host);
  const { host: Host, user: User } = query;
  const found = config.compute(User === undefined ? { Host } : { Host, User }, {
    ignoreCase: true,
    matchExec: false,
  });
  const values = new Map<string, string[]>();
  for (const [keyword, value] of Object.entries(found)) values.set(keyword, [value].flat());
  return values;
}

/** ssh-config leaves an Include as it is, so the files' text goes in its place. */
async function include(
  text: string,
  file: string,
  folder: string,
  query: SshConfigQuery,
  depth: number,
): Promise<string> {
  if (depth > DEEPEST_INCLUDE) {
    throw refused(query.host, `${file} includes itself, or files more than 16 deep`);
  }
  const parts: string[] = [];
  for (const line of parse(text, query.host)) {
    check(line, file, query.host);
    if (line.type !== SshConfig.DIRECTIVE || line.param.toLowerCase() !== "include") {
      parts.push(new SshConfig(line).toString());
      continue;
    }
    for (const pattern of wordsOf(line.value)) {
      for (const path of await matching(pattern, folder, query)) {
        const included = await read(path, query.host) ?? "";
        parts.push(`${await include(included, path, folder, query, depth + 1)}\nHost *\n`);
      }
    }
  }
  return parts.join("\n");
}

/** @throws SidecanaryError where the line needs ssh itself */
function check(line: Line, file: string, host: string): void {
  if (line.type !== SshConfig.DIRECTIVE || !("config" in line)) return;
  if (line.config.some((each) => "param" in each && each.param.toLowerCase() === "include")) {
    throw refused(
      host,
      `${file} has an Include inside of a ${line.param} block, which only the ssh program can ` +
        "read. Install it, or move the Include to the top of the file",
    );
  }
  if (!("criteria" in line)) return;
  const unknown = Object.keys(line.criteria).find((name) => {
    return !CRITERIA.has(name.replace(/^!/, "").toLowerCase());
  });
  if (unknown === undefined) return;
  throw refused(
    host,
    `${file} has "Match ${unknown}", which only the ssh program can decide. Install it, or give ` +
      "another configuration",
  );
}

async function matching(
  pattern: string,
  folder: string,
  query: SshConfigQuery,
): Promise<string[]> {
  const path = pattern.startsWith("~/")
    ? join(query.home, pattern.slice(2))
    : isAbsolute(pattern)
    ? pattern
    : join(folder, pattern);
  const name = basename(path), parent = dirname(path);
  if (/[*?[]/.test(parent) || name.includes("[")) {
    throw refused(query.host, `"Include ${pattern}" needs the ssh program. Install it`);
  }
  if (!/[*?]/.test(name)) return [path];
  const source = name.replaceAll(/[.+^${}()|\\]/g, "\\$&").replaceAll("*", ".*").replaceAll(
    "?",
    ".",
  );
  const fits = new RegExp(`^${source}$`);
  const names = await readdir(parent).catch((error: NodeJS.ErrnoException) => {
    if (error.code === "ENOENT") return [];
    throw refused(query.host, `Cannot read ${parent}: ${error.message}`, error);
  });
  return names.filter((each) => fits.test(each) && !each.startsWith(".")).sort()
    .map((each) => join(parent, each));
}

function wordsOf(value: string | readonly { readonly val: string }[]): string[] {
  return typeof value === "string" ? [value] : value.map(({ val }) => val);
}

function parse(text: string, host: string): SshConfig {
  try {
    return SshConfig.parse(text);
  } catch (error) {
    throw refused(host, `ssh's configuration is malformed: ${(error as Error).message}`, error);
  }
}

async function read(file: string, host: string): Promise<string | undefined> {
  try {
    return await readFile(file, "utf8");
  } catch (error) {
    const { code, message } = error as NodeJS.ErrnoException;
    if (code === "ENOENT" || code === "ENOTDIR") return undefined;
    throw refused(host, `Cannot read ssh's configuration ${file}: ${message}`, error);
  }
}

function refused(host: string, message: string, cause?: unknown): Error {
  return hostFailed(message, { host, fault: "config", kind: "never" }, cause);
}
