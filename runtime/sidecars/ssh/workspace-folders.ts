import { StringDecoder } from "node:string_decoder";
import type { Host } from "../host.ts";
import { hostFailed } from "../host-failed.ts";

/** Lines of ours begin with it: a login script may print lines of its own. */
const ANSWER = "@@sidecanary ";

/** The folders that workspaces may be in: `$cache/sidecanary`, and the one below `/tmp`. */
const ROOTS = String.raw`
say() { printf '${ANSWER}%s\n' "$*"; }
cache=
case ${"$"}{HOME:-} in /*) cache=$HOME/.cache;; esac
case ${"$"}{XDG_CACHE_HOME:-} in /*) cache=$XDG_CACHE_HOME;; esac
owned() {
  [ -d "$1" ] && [ ! -L "$1" ] || return 1
  owner=$(ls -ldn "$1") || return 1
  set -- $owner
  [ "$3" = "$(id -u)" ]
}
echo
`;

const LIST = String.raw`
list() {
  for each in "$1"/sidecanary-*; do
    [ -d "$each" ] && [ ! -L "$each" ] && say "name ${"$"}{each##*/}"
  done
}
[ -z "$cache" ] || list "$cache/sidecanary"
fallback=/tmp/sidecanary-$(id -u)
if owned "$fallback"; then list "$fallback"; fi
say done
`;

/**
 * Processes first: what a file names is killed with its group, unless it began after the file was
 * written, as its number is another process's then. A mount is never removed through.
 */
const REMOVE = String.raw`
born() {
  stat=
  [ -r "/proc/$1/stat" ] && read -r stat <"/proc/$1/stat"
  set -- ${"$"}{stat##*) }
  [ $# -lt 20 ] && return
  shift 19
  echo "$1"
}
names() {
  kill -0 "$1" 2>/dev/null || return 1
  began=$(born "$1")
  if [ -n "$2" ]; then [ "$began" = "$2" ]; return; fi
  boot=$(sed -n 's/^btime //p' /proc/stat 2>/dev/null)
  wrote=$(stat -c %Y "$3" 2>/dev/null)
  [ -n "$began" ] && [ -n "$boot" ] && [ -n "$wrote" ] || return 1
  [ $((boot + began / $(getconf CLK_TCK 2>/dev/null || echo 100))) -le $((wrote + 1)) ]
}
finish() {
  for file in "$1/pid" "$1"/*.pid; do
    [ -f "$file" ] && [ ! -L "$file" ] || continue
    while read -r pid start rest || [ -n "$pid" ]; do
      case $pid in ''|*[!0-9]*|0|1) continue;; esac
      case $start in *[!0-9]*) start=;; esac
      names "$pid" "$start" "$file" || continue
      kill -KILL -"$pid" 2>/dev/null
      kill -KILL "$pid" 2>/dev/null
    done <"$file"
  done
}
mounts() {
  [ -r /proc/self/mounts ] || return 0
  place=$(printf '%s/' "$1" | sed 's/\\/\\134/g; s/ /\\040/g; s/	/\\011/g')
  while read -r what where rest; do
    case $where in "$place"*) printf '%s\n' "$where";; esac
  done </proc/self/mounts
}
remove() {
  if [ -L "$1" ]; then rm -f "$1"; return; fi
  [ -d "$1" ] || return 0
  if [ -f "$1/destroy.sh" ]; then sh "$1/destroy.sh" </dev/null >/dev/null; fi
  finish "$1"
  if [ -n "$(mounts "$1")" ]; then
    mounts "$1" | sort -r | while read -r where; do umount "$(printf "$where")"; done
    [ -z "$(mounts "$1")" ] || { echo "a mount in it is in use" >&2; return 1; }
  fi
  rm -rf "$1" 2>/dev/null && return
  chmod -R u+rwx "$1" 2>/dev/null
  rm -rf "$1" 2>/dev/null && return
  unshare -Ur rm -rf "$1" 2>/dev/null && return
  rm -rf "$1"
}
failed=
[ -z "$cache" ] || remove "$cache/sidecanary/$name" || failed=1
fallback=/tmp/sidecanary-$(id -u)
if owned "$fallback"; then remove "$fallback/$name" || failed=1; fi
[ -z "$failed" ] && say done
`;

/**
 * The names of folders on a host that begin like names of ours.
 *
 * @throws SidecanaryError `host-failed`; an unfinished answer is none
 */
export async function listFolders(host: Host, signal: AbortSignal): Promise<string[]> {
  const lines = await ask(host, ROOTS + LIST, "list the workspaces", signal);
  return [...new Set(lines.flatMap((line) => line.startsWith("name ") ? line.slice(5) : []))];
}

/**
 * Kills what a workspace's `pid` and `*.pid` files name, and removes the folder. That it is gone
 * already is success. A `destroy.sh` in it is run first.
 *
 * @param name a name of ours: letters, digits and `-`
 * @throws SidecanaryError `host-failed`
 */
export async function removeFolder(host: Host, name: string, signal: AbortSignal): Promise<void> {
  await ask(host, `name='${name}'\n${ROOTS}${REMOVE}`, `remove ${name}`, signal);
}

async function ask(
  host: Host,
  script: string,
  what: string,
  signal: AbortSignal,
): Promise<string[]> {
  const stdout = new StringDecoder("utf8"), stderr = new StringDecoder("utf8");
  let out = "", errors = "";
  const exit = await host.exec({
    command: script,
    onStdout: (chunk) => out += stdout.write(chunk),
    onStderr: (chunk) => errors = (errors + stderr.write(chunk)).slice(-4000),
    signal,
  });
  const lines = out.split("\n").filter((line) => line.startsWith(ANSWER))
    .map((line) => line.slice(ANSWER.length));
  if (lines.at(-1) === "done") return lines;
  const status = exit.kind === "exit" ? exit.code : exit.name;
  const said = errors.trim().split("\n").at(-1) ?? "";
  // sshd's own, for users that /etc/nologin keeps out while a machine boots.
  const booting = status === 254;
  throw hostFailed(
    `Cannot ${what} on ${host.name} (${status})${said === "" ? "" : `: ${said}`}`,
    {
      host: host.name,
      fault: booting ? "starting" : "missing-tools",
      kind: booting ? "while-booting" : "never",
      detail: status,
    },
  );
}
