/**
 * A word of POSIX `sh` that stands for exactly `text`.
 *
 * @throws RangeError for a NUL, which no word can hold
 */
export function quoteWord(text: string): string {
  if (text.includes("\0")) throw new RangeError(`${JSON.stringify(text)} has a NUL in it`);
  return `'${text.replaceAll("'", `'\\''`)}'`;
}

/** Lines that give shell variables their values. */
export function assign(variables: Readonly<Record<string, string | number>>): string {
  return Object.entries(variables).map(([name, value]) => `${name}=${quoteWord(String(value))}\n`)
    .join("");
}

/** What the lines of an answer begin with: a login script may print lines of its own. */
export const ANSWER = "@@sidecanary ";

/**
 * What every script of a workspace begins with. It needs `$dir`.
 *
 * `say` answers; `fail` answers why and how much space is left, and ends. `environment` makes git
 * take its settings from our repository alone: before 2.32 git knows no `GIT_CONFIG_GLOBAL`, so
 * that `HOME` moves too.
 */
export const PRELUDE = String.raw`
umask 022
echo
say() { printf '${ANSWER}%s\n' "$*"; }
space() { df -Pk "$dir" 2>/dev/null | sed -n '$s/.* \([0-9][0-9]*\)  *[0-9]*% .*/\1/p'; }
fail() { say "space $(space)"; say "failed $*"; exit 3; }
size() { if [ -f "$1" ]; then echo $(($(wc -c <"$1"))); else echo 0; fi; }
environment() {
  for name in $(env | sed -n 's/^\(GIT_[A-Za-z0-9_]*\)=.*/\1/p'); do unset "$name"; done
  unset LANGUAGE
  HOME="$dir/home" XDG_CONFIG_HOME="$dir/home" LC_ALL=C GIT_CONFIG_GLOBAL=/dev/null
  GIT_CONFIG_NOSYSTEM=1 GIT_ATTR_NOSYSTEM=1 GIT_TERMINAL_PROMPT=0 GIT_NO_LAZY_FETCH=1
  GIT_DIR="$dir/repo.git" GIT_WORK_TREE="$dir/base"
  export HOME XDG_CONFIG_HOME LC_ALL GIT_CONFIG_GLOBAL GIT_CONFIG_NOSYSTEM GIT_ATTR_NOSYSTEM
  export GIT_TERMINAL_PROMPT GIT_NO_LAZY_FETCH GIT_DIR GIT_WORK_TREE
}
`;

/**
 * A lock that ends with its holders: `lock` takes it or waits for it, `hold` runs a program as a
 * holder. When a connection is lost, what it ran goes on; whoever comes next waits for its end, as
 * two must not write the base at once. A process is told by its number and the time that it started
 * at, where `/proc` is there; a zombie holds nothing.
 */
export const LOCK = String.raw`
born() {
  stat=
  [ -r "/proc/$1/stat" ] && read -r stat <"/proc/$1/stat"
  stat=${"$"}{stat##*) }
  case $stat in [ZX]*) echo dead; return;; esac
  set -- $stat
  [ $# -lt 20 ] && return
  shift 19
  echo "$1"
}
holds() { kill -0 "$1" 2>/dev/null && [ "$(born "$1")" = "$2" ]; }
note() { echo "$1 $(born "$1")" >>"$dir/lock/pids"; }
lock() {
  waited=0
  until mkdir "$dir/lock" 2>/dev/null; do
    [ -d "$dir/lock" ] || [ "$waited" -lt 3 ] || fail write
    held=
    [ -f "$dir/lock/pids" ] || [ "$waited" -ge 2 ] || held=1
    if [ -f "$dir/lock/pids" ]; then
      while read -r pid start; do holds "$pid" "$start" && held=1; done <"$dir/lock/pids"
    fi
    if [ -z "$held" ]; then mv "$dir/lock" "$dir/lock.$$" 2>/dev/null; rm -rf "$dir/lock.$$"; fi
    [ -n "$held" ] || [ -d "$dir/lock" ] || { waited=$((waited + 1)); continue; }
    waited=$((waited + 1))
    [ "$waited" -le "$patience" ] || fail busy
    sleep 1
  done
  note $$ || fail write
  trap 'rm -rf "$dir/lock"' EXIT
}
hold() {
  "$@" <"${"$"}{in:-/dev/null}" &
  child=$!
  note "$child"
  wait "$child"
}
`;
