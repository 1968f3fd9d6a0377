import { Buffer } from "node:buffer";
import { SCRATCH_ATTRIBUTES, SCRATCH_CONFIG } from "../../sync/scratch-repository.ts";
import type { SidecanaryError } from "../../errors.ts";
import type { Host } from "../host.ts";
import { hostFailed } from "../host-failed.ts";
import { askHost } from "./workspace-ask.ts";
import { assign, PRELUDE } from "./workspace-script.ts";

/** What the machine around a workspace can do, as a probe found it. */
export interface WorkspaceTools {
  /** The version of git, `2.39.5`. */
  readonly git: string;
  /** Bytes that may still be written; `null` where the machine does not tell. */
  readonly freeBytes: number | null;
  /** Whether two names that differ in case are one file. */
  readonly caseInsensitive: boolean;
  /** Whether the file system keeps executable bits and runs what has one. */
  readonly executes: boolean;
  /** Whether the programs are there; whether they may be used is not known. */
  readonly unshare: boolean;
  readonly nsenter: boolean;
  readonly mount: boolean;
}

/** A folder of ours on a host. Its paths are absolute and may hold any character except NUL. */
export interface Workspace {
  /** Mode 0700; everything else lies in it. */
  readonly dir: string;
  /** A bare repository of our own, which holds what was delivered: `${dir}/repo.git`. */
  readonly gitDir: string;
  /** The verified checkout of the delivered tree, with what a setup added: `${dir}/base`. */
  readonly base: string;
  readonly tools: WorkspaceTools;
}

/** Which workspace. */
export interface OpenWorkspaceOptions {
  /** Letters, digits, `.`, `-` and `_`; begins with a letter or a digit. At most 64 characters. */
  readonly name: string;
  readonly signal: AbortSignal;
}

const NAME = /^[A-Za-z0-9][A-Za-z0-9._-]{0,63}$/;

/** The oldest git that reads what we write and has what we use. */
const OLDEST_GIT = [2, 30] as const;

/**
 * Makes the workspace `name` on a host, or finds the one that is there:
 * `${XDG_CACHE_HOME:-$HOME/.cache}/sidecanary/<name>`, and `/tmp/sidecanary-<uid>/<name>` where that
 * cannot be written.
 *
 * @throws RangeError for a name that is none
 * @throws SidecanaryError `host-failed`: `missing-tools` for an old or missing program, `starting`
 *   while the host does not run commands, `sandbox-refused` where no folder can be written
 */
export async function openWorkspace(
  host: Host,
  { name, signal }: OpenWorkspaceOptions,
): Promise<Workspace> {
  if (!NAME.test(name)) throw new RangeError(`"${name}" is no name for a workspace`);
  const command =
    assign({ name, config: SCRATCH_CONFIG, attributes: SCRATCH_ATTRIBUTES, dir: "/" }) +
    PRELUDE + OPEN;
  const answer = await askHost(host, { command, signal });
  if (answer.failed !== undefined) throw refused(host, answer.failed, answer.stderr);
  const lines = new Map(answer.lines);
  const tools: WorkspaceTools = {
    git: gitVersion(host, lines.get("git") ?? ""),
    freeBytes: lines.get("free") ? Number(lines.get("free")) * 1024 : null,
    caseInsensitive: lines.has("case-insensitive"),
    executes: lines.has("executes"),
    unshare: lines.has("unshare"),
    nsenter: lines.has("nsenter"),
    mount: lines.has("mount"),
  };
  const dir = readDir(host, lines.get("dir") ?? "");
  return { dir, gitDir: `${dir}/repo.git`, base: `${dir}/base`, tools };
}

/** Everything that the scripts of a workspace run, as POSIX has it, and git. */
const OPEN = String.raw`
for tool in git env sed cat cp mv rm mkdir rmdir chmod ls ln id od wc df dd find sleep touch date \
  cut grep sort tail tr; do
  command -v "$tool" >/dev/null 2>&1 || fail "missing $tool"
done
say "git $(git version 2>/dev/null)"
usable() {
  mkdir -p "$dir" 2>/dev/null && chmod 700 "$dir" 2>/dev/null && mkdir -p "$dir/home" 2>/dev/null &&
    (echo probe >"$dir/probe.$$") 2>/dev/null && rm -f "$dir/probe.$$"
}
own() {
  [ -d "$1" ] && [ ! -L "$1" ] || return 1
  set -- $(ls -ldn "$1")
  case $1 in drwx------*) ;; *) return 1;; esac
  [ "$3" = "$(id -u)" ]
}
cache=
case ${"$"}{HOME:-} in /*) cache=$HOME/.cache;; esac
case ${"$"}{XDG_CACHE_HOME:-} in /*) cache=$XDG_CACHE_HOME;; esac
dir=$cache/sidecanary/$name
if [ -z "$cache" ] || ! (umask 077; usable); then
  root=/tmp/sidecanary-$(id -u)
  mkdir -m 700 "$root" 2>/dev/null
  own "$root" || fail folder
  dir=$root/$name
  usable || fail folder
fi
dir=$(cd -P "$dir" && pwd -P; echo .)
dir=${"$"}{dir%??}
say "dir $(printf %s "$dir" | od -An -v -tx1 | while read -r line; do printf '%s ' "$line"; done)"
repo=$dir/repo.git
mkdir -p "$repo/objects/pack" "$repo/objects/info" "$repo/refs/heads" "$repo/info" || fail folder
set_file() { (printf %s "$2" >"$1.$$") && mv -f "$1.$$" "$1" || fail folder; }
set_file "$repo/config" "$config"
set_file "$repo/info/attributes" "$attributes"
set_file "$repo/info/exclude" ''
set_file "$repo/HEAD" 'ref: refs/heads/payload
'
say "free $(space)"
probe=$dir/probe.$$
printf '#!/bin/sh\nexit 0\n' >"$probe.x" && chmod 755 "$probe.x" && "$probe.x" 2>/dev/null && say executes
[ -e "$probe.X" ] && say case-insensitive
rm -f "$probe.x"
for tool in unshare nsenter mount; do command -v "$tool" >/dev/null 2>&1 && say "$tool"; done
say done
`;

function gitVersion(host: Host, line: string): string {
  const [, version = "", major = "0", minor = "0"] = /((\d+)\.(\d+)[\d.]*)/.exec(line) ?? [];
  const isNew = Number(major) > OLDEST_GIT[0] ||
    (Number(major) === OLDEST_GIT[0] && Number(minor) >= OLDEST_GIT[1]);
  if (isNew) return version;
  throw hostFailed(
    `git ${OLDEST_GIT.join(".")} or newer is needed on ${host.name}, which has ` +
      `${version === "" ? "one that does not tell its version" : `git ${version}`}. ` +
      "Install a newer one there, or choose an image that has it",
    { host: host.name, fault: "missing-tools", kind: "never", detail: `git ${version}` },
  );
}

function readDir(host: Host, hex: string): string {
  const bytes = Buffer.from(hex.replaceAll(" ", ""), "hex");
  try {
    const dir = new TextDecoder("utf-8", { fatal: true }).decode(bytes);
    if (dir.startsWith("/")) return dir;
  } catch (cause) {
    throw unusable(
      host,
      "the path of its cache folder is not UTF-8. Set XDG_CACHE_HOME there",
      cause,
    );
  }
  throw unusable(host, "it does not tell the path of its cache folder");
}

function refused(host: Host, failed: string, stderr: string): SidecanaryError {
  const [what, tool = ""] = failed.split(" ");
  if (what === "missing") {
    const wanted = tool === "git" ? `git ${OLDEST_GIT.join(".")} or newer` : tool;
    return hostFailed(
      `${host.name} has no ${tool}. Install ${wanted} there, or choose an image that has it`,
      { host: host.name, fault: "missing-tools", kind: "never", detail: tool },
    );
  }
  return unusable(
    host,
    "neither its cache folder nor a folder of our own in /tmp can be written. Set XDG_CACHE_HOME " +
      `there to a folder that can${stderr === "" ? "" : `: ${stderr}`}`,
  );
}

function unusable(host: Host, why: string, cause?: unknown): SidecanaryError {
  const details = { host: host.name, fault: "sandbox-refused", kind: "never" } as const;
  return hostFailed(`Cannot make a workspace on ${host.name}: ${why}`, details, cause);
}
