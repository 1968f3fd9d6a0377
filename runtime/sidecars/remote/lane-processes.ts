/**
 * A part of {@link ./lane-script.ts}.
 *
 * What a lane needs to know of processes, and to end them: `start_of`, `same`, `until_gone`,
 * `fence`; and to remove folders: `discard`, `erase`.
 */
export const LANE_PROCESSES = `
# The kernel's time of start tells a process from a later one of the same number. Sets start; fails
# where no such process lives, a zombie included.
start_of() {
  start=0
  [ -r /proc/self/stat ] || { kill -s 0 "$1" 2>/dev/null; return; }
  read -r line 2>/dev/null < "/proc/$1/stat" || return 1
  set -- \${line##*) }
  case $1 in Z|X|x) return 1 ;; esac
  shift 19; start=$1
}
same() { start_of "$1" && [ "$start" = "$2" ]; }
until_gone() {
  n=0
  while same "$1" "$2"; do
    n=$((n + 1)); [ "$n" -gt 1500 ] && return 1
    [ "$n" -gt 1000 ] && nap
  done
  return 0
}

group_lives() {
  kill -s 0 -- "-$1" 2>/dev/null || return 1
  [ -r /proc/self/stat ] || return 0
  for file in /proc/[0-9]*/stat; do
    read -r line 2>/dev/null < "$file" || continue
    set -- "$1" \${line##*) }
    [ "$4" = "$1" ] || continue
    case $2 in Z|X|x) continue ;; esac
    return 0
  done
  return 1
}
# The processes that carry a mark. Not every grep looks beyond a NUL.
marked() {
  if [ "$LANE_GREP" = whole ]; then grep -lF "$1" /proc/[0-9]*/environ 2>/dev/null; return; fi
  for each in /proc/[0-9]*/environ; do
    [ -r "$each" ] && tr '\\0' '\\n' 2>/dev/null < "$each" | grep -qxF "$1" && echo "$each"
  done 2>/dev/null
}
# Everything that a lane runs is dead afterwards.
fence() {
  open=; read -r open 2>/dev/null < "$1/current"
  if [ -n "$open" ] && [ -d "$1/s.$open" ]; then : > "$1/s.$open/dead"; fi
  if [ -s "$1/holder" ]; then
    read -r up upstart inner innerstart < "$1/holder"
    if [ -n "$inner" ] && same "$inner" "$innerstart"; then kill -s KILL "$inner"; fi
    if [ -z "$inner" ] && same "$up" "$upstart"; then kill -s KILL "$up"; fi
    if [ -n "$inner" ]; then until_gone "$inner" "$innerstart" || return 1; fi
    until_gone "$up" "$upstart" || return 1
    : > "$1/holder"
  fi
  for file in "$1"/groups/*; do
    [ -e "$file" ] || continue
    group=\${file##*/}
    kill -s KILL -- "-$group" 2>/dev/null
    n=0
    while group_lives "$group"; do
      n=$((n + 1)); [ "$n" -gt 400 ] && return 1
      nap; kill -s KILL -- "-$group" 2>/dev/null
    done
    rm -f "$file"
  done
  [ -d "$1/groups" ] && [ -r /proc/self/environ ] || return 0
  read -r mark < "$1/mark" || return 0
  n=0
  while :; do
    found=
    for file in $(marked "SIDECANARY_SANDBOX=$mark."); do
      pid=\${file#/proc/}; pid=\${pid%/environ}
      start_of "$pid" || continue
      found=1; kill -s KILL "$pid" 2>/dev/null
    done
    [ -n "$found" ] || return 0
    n=$((n + 1)); [ "$n" -gt 400 ] && return 1
  done
}

# Out of the way now, removed beside what comes next.
discard() {
  [ -e "$1" ] || return 0
  trashed=$((\${trashed:-0} + 1)); trash=$L/x.$$.$trashed
  [ "$1" != "$L" ] || trash=$T/x.$$.$trashed
  mv "$1" "$trash" || return 1
  ( erase "$trash" ) </dev/null >/dev/null 2>&1 3<&- &
}
erase() {
  rm -rf "$1" 2>/dev/null; [ -e "$1" ] || return 0
  find "$1" -type d ! -perm -700 -exec chmod u+rwx {} \\; 2>/dev/null
  rm -rf "$1" 2>/dev/null; [ ! -e "$1" ]
}
`;
