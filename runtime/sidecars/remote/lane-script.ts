/**
 * What runs on a host: POSIX sh, sourced with `D` (the workspace), `N` (a word that marks our
 * lines in the output) and a verb with its arguments. It answers one line that starts with `N`;
 * `!` and a code after it tell of a failure. Nothing but sh, the POSIX tools and git is assumed;
 * `unshare`, `nsenter`, `mount`, `setsid`, `/proc` and `xargs -0` are used where they work.
 *
 * Files below `$D/lanes`: `git` (a bare repository that converts nothing, its objects over those of
 * `repo.git`), `base.index` (the payload's tree), `tools` (what the probe found), and a folder for
 * every lane: `current` (the open sandbox), `s.<id>` (the sandbox: its layers, its temporary
 * folder, one folder for every command), `holder` or `groups/` (what runs), `frozen` or `pristine`.
 */
export const LANE_SCRIPT = `
LANE_KIND= LANE_GREP=
unset GIT_DIR GIT_WORK_TREE GIT_INDEX_FILE GIT_COMMON_DIR GIT_OBJECT_DIRECTORY
unset GIT_ALTERNATE_OBJECT_DIRECTORIES GIT_NAMESPACE GIT_CONFIG_PARAMETERS GIT_CONFIG_COUNT
T=$D/lanes
nap() { sleep 0.02 2>/dev/null || sleep 1; }
say() { printf '%s %s\\n' "$N" "$*"; }
fail() { say "! $*"; exit 0; }
g() {
  LC_ALL=C HOME=$T GIT_CONFIG_NOSYSTEM=1 GIT_CONFIG_GLOBAL=/dev/null GIT_ATTR_NOSYSTEM=1 \\
  GIT_DIR=$T/git GIT_WORK_TREE=$tree GIT_INDEX_FILE=$index git "$@"
}

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

# $1: folder with u and w; $2: lower layers; $3: where it is mounted; $4: what is applied, or -.
hold() {
  { ( cd "$1" && exec unshare $LANE_NS --mount --pid --fork --kill-child --mount-proc \\
      sh -c 'D=$1; shift; . "$D/lane.sh"' sh "$D" inner \\
      "lowerdir=$2,upperdir=u,workdir=w$LANE_OPTIONS" "$3" "$4" "$1" "$LANE_TTL" ) \\
      </dev/null 2>"$1/err" 3<&- &
    printf '%s\\n' "$!"; } | {
    read -r up; start_of "$up"; upstart=$start
    printf '%s %s\\n' "$up" "$upstart" > "$L/holder"
    read -r word && [ "$word" = ok ] || exit 1
    # The kernel ends it without a newline.
    read -r inner rest < "/proc/$up/task/$up/children"
    [ -n "$inner" ] && start_of "$inner" || exit 1
    printf '%s %s %s %s\\n' "$up" "$upstart" "$inner" "$start" > "$L/holder"
  }
}
enter() { nsenter "--target=$inner" $LANE_ENTER --mount --pid -- "$@"; }

# $1: the script of a change; $2: a folder for indexes. In tree.
apply() {
  umask 022
  cd "$tree" || return 1
  index=$2/changed.index; verify=$2/verify.index
  . "$1"
}

quote() { q=$(printf '%s.' "$1" | LC_ALL=C sed "s/'/'\\\\\\\\''/g"); q=\${q%.}; }
# What git does not keep: its own folders, empty folders, what nobody may read.
aside() {
  kind=$1; E=$2; shift 2
  for f do
    i=$((\${i:-0} + 1)); quote "$f"
    case $kind in
      git) mv "$f" "$E/git.$$.$i"; printf "cp -pPR '%s' '%s'\\n" "$QE/git.$$.$i" "$q" ;;
      closed)
        if [ -d "$f" ]; then printf "mkdir -p '%s'\\n" "$q"; else printf ": > '%s'\\n" "$q"; fi
        printf "chmod 0 '%s'\\n" "$q"; chmod u+rwx "$f"; rm -rf "$f" ;;
      empty)
        empty=1
        for each in "$f"/* "$f"/.[!.]* "$f"/..?*; do
          if [ -e "$each" ] || [ -L "$each" ]; then empty=; break; fi
        done
        [ -z "$empty" ] || [ "$f" = . ] && continue
        cp -pPR "$f" "$E/empty.$$.$i"
        printf "[ -d '%s' ] || { mkdir -p '%s'; rmdir '%s'; cp -pPR '%s' '%s'; }\\n" \\
          "$q" "$q" "$q" "$QE/empty.$$.$i" "$q" ;;
    esac
  done >> "$E/restore"
}
put_aside() {
  sh -c 'D=$1; shift; . "$D/lane.sh"' sh "$D" aside "$@"
}
fingerprint() {
  ( cd "$tree" && LC_ALL=C find . -exec ls -ldn {} + ) 2>/dev/null |
    sed -e 's/  */ /g' -e 's/^\\([^ ]*\\) [^ ]* \\([^ ]*\\) \\([^ ]*\\) [^ ]* [^ ]* [^ ]* [^ ]* /\\1 \\2 \\3 /' |
    LC_ALL=C sort | g hash-object --stdin
}
names_in() { ( cd "$1" && LC_ALL=C find . 2>/dev/null | LC_ALL=C sort ) | g hash-object --stdin; }
# Takes what tree holds now as the state that revert() comes back to.
snapshot() {
  E=$L/extra; erase "$E" && mkdir -m 700 "$E" && : > "$E/restore" || return 1
  index=$L/index; rm -f "$index"
  cd "$tree" || return 1
  run_aside='D=$1; shift; . "$D/lane.sh"'
  find . -name .git -prune -exec sh -c "$run_aside" sh "$D" aside git "$E" {} +
  if [ "$(id -u)" != 0 ]; then
    find . \\( -type d ! -perm -500 -o -type f ! -perm -400 \\) -prune \\
      -exec sh -c "$run_aside" sh "$D" aside closed "$E" {} +
  fi
  find . -type d -exec sh -c "$run_aside" sh "$D" aside empty "$E" {} +
  g add -A -f . || return 1
  . "$E/restore" || return 1
  fingerprint > "$L/fingerprint"
}
# $1: the time that what is put back gets.
revert() {
  cd "$tree" || return 1
  index=$L/index
  find . -name .git -prune -exec rm -rf {} + -o -type d ! -perm -700 -exec chmod u+rwx {} \\; \\
    -o ! -type f ! -type d ! -type l -exec rm -f {} +
  g diff-files --name-only -z > "$L/changed" || return 1
  if [ -s "$L/changed" ]; then
    umask 022
    g checkout-index -f -z --stdin < "$L/changed" || return 1
  fi
  g clean -ffdxq || return 1
  . "$L/extra/restore" || return 1
  if [ -s "$L/changed" ]; then
    TZ=UTC0 xargs -0 sh -c 't=$1; shift
      for f do shift; [ -L "$f" ] || set -- "$@" "$f"; done
      [ $# = 0 ] || touch -t "$t" -- "$@"' sh "$1" < "$L/changed" || return 1
    # Fails where a file is not what it was.
    g update-index --refresh >/dev/null || return 1
  fi
  [ "$(fingerprint)" = "$(cat "$L/fingerprint")" ]
}
# A new copy, where putting back has failed.
renew() {
  cd "$T" || return 1
  if [ -e "$tree" ]; then discard "$tree" || return 1; fi
  source=$D/base; [ -d "$L/pristine" ] && source=$L/pristine
  mkdir -m 755 "$tree" || return 1
  if ! cp -pPR "$source/." "$tree/" 2>"$L/err"; then
    # Only what nobody may read may be missing; it is there by name.
    [ "$(id -u)" != 0 ] || return 1
    ( cd "$source" && find . \\( -type d ! -perm -500 -o -type f ! -perm -400 \\) -prune \\
      -exec sh -c 't=$1; shift; for f do
        [ -e "$t/$f" ] && continue
        if [ -d "$f" ]; then mkdir "$t/$f"; else : > "$t/$f"; fi; chmod 0 "$t/$f"
      done' sh "$tree" {} + ) || return 1
    [ "$(names_in "$source")" = "$(names_in "$tree")" ] || return 1
  fi
  snapshot
}

oom_count() {
  group=0 machine=0
  while read -r name count; do
    [ "$name" = oom_kill ] && machine=$count
  done 2>/dev/null < /proc/vmstat
  while IFS=: read -r _ list path; do
    case ,$list, in
      ,,) set -- "/sys/fs/cgroup$path/memory.events" /sys/fs/cgroup/memory.events ;;
      *,memory,*) set -- "/sys/fs/cgroup/memory$path/memory.oom_control" \\
        /sys/fs/cgroup/memory/memory.oom_control ;;
      *) continue ;;
    esac
    for file do
      [ -r "$file" ] || continue
      while read -r name count; do [ "$name" = oom_kill ] && group=$count; done < "$file"
      return
    done
  done 2>/dev/null < /proc/self/cgroup
}
ticks() { read -r now _ 2>/dev/null < /proc/uptime || now=0.00; }

end_of() {
  if [ -e "$1.old" ]; then cat "$1.old" "$1" | tail -c "$2"
  elif [ -s "$1" ]; then tail -c "$2" "$1"; fi
}
# $1: the command's folder; $2: how many bytes of each stream are wanted.
emit() {
  read -r status < "$1/status" || fail lost "the result of the command cannot be read"
  say "$status"
  printf '%s\\n' "$N" >&2
  end_of "$1/out" "$2"
  end_of "$1/err" "$2" >&2
}
limit_log() {
  size=$(wc -c < "$1") || return
  [ "$size" -gt "$2" ] || return
  tail -c "$3" "$1" > "$1.new" && : > "$1" && mv "$1.new" "$1.old"
}
alive() {
  [ -d "$S" ] && [ ! -e "$S/dead" ] || return 1
  [ "$LANE_KIND" = overlay ] || return 0
  inner= ; read -r up upstart inner innerstart 2>/dev/null < "$L/holder"
  # A first process that is being ended loses its root before its namespace has died.
  [ -n "$inner" ] && same "$inner" "$innerstart" && [ -d "/proc/$inner/root/proc" ]
}
# Ends what a sandbox runs because of $2.
end_run() {
  [ -e "$1/status" ] || printf '%s\\n' "$2" > "$1/why"
  : > "$S/dead"
  fence "$L"
}

LANE_LAUNCH='cd -- "$1" || exit 126; m=$2 c=$3; shift 3
exec env "$@" sh -c '"'"'printf s > "$1" || exit 126; exec sh -c "$2"'"'"' sh "$m" "$c"'

# Runs one command to its end, whoever listens: the result stays in its folder.
supervise() {
  R=$1 budget=$2 grace=$3 max=$4 keep=$5 cwd=$6 command=$7; shift 7
  oom_count; group0=$group machine0=$machine
  : > "$R/out"; : > "$R/err"; : > "$R/why"
  start_of $$; printf '%s %s\\n' $$ "$start" > "$R/supervisor"
  ticks; from=$now
  if [ "$LANE_KIND" = overlay ]; then
    nsenter "--target=$inner" $LANE_ENTER --mount --pid -- setsid sh -c "$LANE_LAUNCH" sh "$cwd" "$R/started" "$command" "PWD=$cwd" "$@" \\
      </dev/null >>"$R/out" 2>>"$R/err" 3<&- &
  elif [ "$LANE_GROUPS" = setsid ]; then
    setsid sh -c "$LANE_LAUNCH" sh "$cwd" "$R/started" "$command" "PWD=$cwd" "$@" \\
      </dev/null >>"$R/out" 2>>"$R/err" 3<&- &
  else
    [ "$LANE_GROUPS" = monitor ] && set -m
    sh -c "$LANE_LAUNCH" sh "$cwd" "$R/started" "$command" "PWD=$cwd" "$@" \\
      </dev/null >>"$R/out" 2>>"$R/err" 3<&- &
    set +m
  fi
  p=$!
  [ "$LANE_KIND" = overlay ] || [ "$LANE_GROUPS" = none ] || : > "$L/groups/$p"
  ( trap '' HUP PIPE; i=0
    while [ "$i" -lt "$budget" ]; do
      sleep 1; i=$((i + 1)); limit_log "$R/out" "$max" "$keep"; limit_log "$R/err" "$max" "$keep"
    done
    end_run "$R" timeout ) </dev/null >/dev/null 2>&1 3<&- & w=$!
  ( trap '' HUP PIPE; while read -r _; do :; done <&3
    i=0
    while [ "$i" -lt "$grace" ]; do
      sleep 1; i=$((i + 1)); a=
      read -r a astart 2>/dev/null < "$R/attached" && same "$a" "$astart" && i=0
    done
    end_run "$R" vanished ) </dev/null >/dev/null 2>&1 & v=$!
  interrupted=; wait "$p" 2>/dev/null; code=$?
  while [ -n "$interrupted" ]; do
    interrupted=; wait "$p" 2>/dev/null; again=$?
    [ "$again" = 127 ] || code=$again
  done
  if [ "$code" -gt 128 ] && [ -d "$R" ]; then jobs -l > "$R/jobs"; fi
  kill "$w" "$v" 2>/dev/null
  ticks; to=$now
  [ "$LANE_KIND" = overlay ] || group_lives "$p" || rm -f "$L/groups/$p"
  why= ; read -r why 2>/dev/null < "$R/why"
  # Whoever ended it may have been stopped by the lines above.
  [ -z "$why" ] || fence "$L"
  [ -d "$R" ] || fail lost "the sandbox was removed"
  what="exit $code"
  if [ -n "$why" ]; then what="$why 0"
  elif ! alive; then what="gone 0"
  elif [ ! -s "$R/started" ]; then what="unstarted 0"
  elif [ "$code" != 0 ] && ! dd if=/dev/zero of="$R/room" bs=65536 count=1 2>/dev/null; then
    what="full 0"
  elif [ "$code" -gt 128 ] && [ "$LANE_WAITS" = jobs ]; then
    case $(cat "$R/jobs") in
      *"$p Done("*) ;;
      *) name=$(kill -l "$code" 2>/dev/null) && what="signal \${name#SIG}" ;;
    esac
  fi
  [ ! -e "$R/room" ] || rm -f "$R/room"
  oom=0
  if [ "$code" != 0 ]; then
    oom_count
    [ "$group" -gt "$group0" ] && oom=1
    [ "$code" = 137 ] && [ "$machine" -gt "$machine0" ] && oom=1
  fi
  printf '%s %s %s %s\\n' "$what" "$oom" "$from" "$to" > "$R/status.new" 2>/dev/null &&
    [ -s "$R/status.new" ] && mv "$R/status.new" "$R/status" ||
    fail full "the result of the command cannot be written"
  emit "$R" "$max"
}
attach() {
  start_of $$; printf '%s %s\\n' $$ "$start" > "$1/attached"
  me=$$
  ( while read -r _; do :; done <&3; kill -s KILL "$me" ) </dev/null >/dev/null 2>&1 & v=$!
  while [ ! -e "$1/status" ]; do
    s= ; read -r s sstart 2>/dev/null < "$1/supervisor"
    if [ -n "$s" ] && ! same "$s" "$sstart" && [ ! -e "$1/status" ]; then
      kill -s KILL "$v"; fail lost "the command's supervisor was killed"
    fi
    nap
  done
  kill -s KILL "$v"
  emit "$1" "$2"
}

probe() {
  LANE_KIND=warm LANE_NS= LANE_ENTER= LANE_OPTIONS= LANE_TTL=600 LANE_GROUPS=none LANE_WAITS=none why=
  LANE_GREP=first; printf 'A=1\\0B=2\\0' > "$T/nul"; [ -z "$(grep -lF B=2 "$T/nul" 2>/dev/null)" ] || LANE_GREP=whole
  sh -c 'kill -s KILL $$' & p=$!
  wait "$p" 2>/dev/null; jobs -l > "$T/jobs" 2>/dev/null
  sh -c 'exit 137' & p2=$!
  wait "$p2" 2>/dev/null; jobs -l > "$T/jobs2" 2>/dev/null
  case $(cat "$T/jobs") in *"$p Done("*) ;; *"$p "*)
    case $(cat "$T/jobs2") in *"$p2 Done("*) LANE_WAITS=jobs ;; esac ;; esac
  if command -v setsid >/dev/null && [ "$(setsid sh -c 'echo $$; ps -o pgid= -p $$ 2>/dev/null || echo 1' | wc -l)" = 2 ]
  then LANE_GROUPS=setsid
  elif ( set -m ) 2>/dev/null && [ -z "$( ( set -m ) 2>&1 )" ]; then LANE_GROUPS=monitor; fi
  if [ "$1" != warm ] && [ "$LANE_GROUPS" = setsid ] && command -v unshare >/dev/null &&
    command -v nsenter >/dev/null && command -v mount >/dev/null; then
    L=$T/probe; erase "$L"; mkdir -m 700 "$L"
    if [ "$(id -u)" = 0 ]; then set -- root; else set -- user; fi
    for LANE_OPTIONS in ,volatile,redirect_dir=on ,redirect_dir=on ,volatile,userxattr ,userxattr; do
      case $1$LANE_OPTIONS in
        root*userxattr|user*redirect_dir*) continue ;;
        user*) LANE_NS='--user --map-current-user --keep-caps' LANE_ENTER='--user --preserve-credentials' ;;
      esac
      S=$L/s; erase "$S"; mkdir "$S" "$S/u" "$S/w" "$S/base" "$S/base/d"; echo 1 > "$S/base/d/f"
      if hold "$S" base "$S/base" - && read -r up upstart inner innerstart < "$L/holder" &&
        enter sh -c 'cd "$1" && mv d e && echo 2 > e/f && rm e/f && mkdir e/g' sh "$S/base" 2>>"$S/err" &&
        [ -e "$S/base/d/f" ]; then LANE_KIND=overlay
      else why=$(tr '\\n' ' ' < "$S/err" | cut -c 1-200); fi
      fence "$L"
      [ "$LANE_KIND" = overlay ] && break
    done
    erase "$L"
  fi
  printf "LANE_KIND=%s LANE_NS='%s' LANE_ENTER='%s' LANE_OPTIONS=%s LANE_GROUPS=%s LANE_WAITS=%s LANE_GREP=%s\\n" \\
    "$LANE_KIND" "$LANE_NS" "$LANE_ENTER" "$LANE_OPTIONS" "$LANE_GROUPS" "$LANE_WAITS" "$LANE_GREP" > "$T/tools"
}

verb=$1; shift
case $verb in
  inner)
    mount -t overlay -o "$1" sidecanary "$2" || exit 1
    if [ "$3" != - ]; then ( tree=$2; apply "$3" "$4" ) >&2 || exit 1; fi
    cd /; trap '' CHLD; printf 'ok\\n'
    exec sleep "$5" >/dev/null 2>&1 ;;
  aside) i=0; quote "$2"; QE=$q; aside "$@"; exit 0 ;;
esac
exec 3<&0 </dev/null
# Not ignored: that would be inherited by the command.
trap 'interrupted=1' HUP PIPE
if [ -e "$T/tools" ]; then . "$T/tools"; fi
[ -n "$LANE_KIND" ] || [ "$verb" = init ] || [ "$verb" = destroy ] || exit 1
case $verb in
  init) # $1: the token of this process; $2: warm or any
    mkdir -p "$T/git/objects/info" "$T/git/refs" "$T/git/info" || exit 1
    printf '../../../repo.git/objects\\n' > "$T/git/objects/info/alternates"
    printf 'ref: refs/heads/none\\n' > "$T/git/HEAD"
    printf '[core]\\nrepositoryformatversion=0\\nbare=false\\nfileMode=true\\nsymlinks=true\\nautocrlf=false\\nsafecrlf=false\\nfsmonitor=false\\nuntrackedCache=false\\nsplitIndex=false\\ncompression=0\\nlooseCompression=0\\nignoreCase=false\\nprecomposeUnicode=false\\nprotectNTFS=false\\nprotectHFS=false\\ntrustctime=true\\ncheckStat=default\\nhooksPath=/dev/null\\nattributesFile=/dev/null\\nexcludesFile=/dev/null\\n[index]\\nversion=2\\n[gc]\\nauto=0\\n' > "$T/git/config"
    printf '* -text !eol !crlf -ident -filter !working-tree-encoding\\n' > "$T/git/info/attributes"
    printf '#!/bin/sh\\n{ D=$(cd "$(dirname "$0")" \\&\\& pwd); N=-; set -- destroy; . "$D/lane.sh"; exit; }\\n' | sed 's/\\\\&/\\&/g' > "$D/destroy.sh"
    fenced=
    if [ "$(cat "$T/process" 2>/dev/null)" != "$1" ]; then
      for L in "$T"/[0-9]*; do [ -d "$L" ] && { fence "$L" || fail busy "$L"; rm -f "$L/current"; }; done
      printf '%s\\n' "$1" > "$T/process"; fenced=1
    fi
    if [ -n "$fenced" ] || [ ! -s "$T/tools" ]; then probe "$2"; else . "$T/tools"; fi
    boot=; read -r boot 2>/dev/null < /proc/sys/kernel/random/boot_id
    say "ok $LANE_KIND $(date -u +%Y%m%d%H%M%S) \${boot:--} $LANE_NS" ;;
  base) # $1: the payload's tree $2: what set it up
    if [ "$(cat "$T/base.id" 2>/dev/null)" != "$1 $2" ]; then
      for L in "$T"/[0-9]*; do [ -d "$L" ] && { fence "$L" && discard "$L" || fail busy "$L"; }; done
      printf '%s\\n' "$1 $2" > "$T/base.id"
    fi
    tree=$D/base index=$T/base.$$
    g read-tree "$1" && mv "$index" "$T/base.index" || fail base "the payload's tree cannot be read"
    say ok ;;
  open)
    # $1: lane $2: sandbox $3: script's blob or - $4: time for reverted files $5: seconds to live
    # $6: what was frozen last, or - $7: the script, or nothing where it is only in the pack
    L=$T/$1 S=$T/$1/s.$2 LANE_TTL=$5 tree=$T/$1/tree index=/dev/null
    [ -d "$L" ] || mkdir -m 700 "$L" || exit 1
    fence "$L" || fail busy "processes of an earlier sandbox do not end"
    if [ "$6" = - ]; then
      for old in "$L/frozen" "$L/frozen.id" "$L/pristine" "$L"/f.*; do
        [ -e "$old" ] && { discard "$old"; rm -f "$L/fingerprint" "$L/clean"; }
      done
    elif [ "$(cat "$L/frozen.id" 2>/dev/null)" != "$6" ]; then
      fail lost "what was kept of the baseline is not there any more"
    fi
    for old in "$L"/s.*; do [ -e "$old" ] && discard "$old"; done
    : > "$L/current"
    mkdir -m 700 "$S" "$S/t" "$S/w" || exit 1
    script=-
    if [ "$3" != - ]; then
      g unpack-objects -q <&3 2>"$S/err" || fail pack "$(tr '\\n' ' ' < "$S/err")"
      if [ -n "$7" ]; then printf '%s' "$7" > "$S/apply"
      else g cat-file blob "$3" > "$S/apply" 2>"$S/err"; fi || fail pack "$(tr '\\n' ' ' < "$S/err")"
      script=$S/apply
    fi
    if [ "$LANE_KIND" = overlay ]; then
      [ -L "$L/b" ] || ln -s ../../base "$L/b"
      mkdir -m 755 "$S/u" || exit 1
      lower=; [ -s "$L/frozen" ] && while read -r name; do lower=$lower../$name:; done < "$L/frozen"
      hold "$S" "$lower../b" "$D/base" "$script" ||
        { fence "$L"; fail state "$(tr '\\n' ' ' < "$S/err" | cut -c 1-2000)"; }
    else
      [ -d "$L/groups" ] || mkdir "$L/groups"; printf '%s\\n' "\${D##*/}-$1-$2" > "$L/mark"
      if [ -e "$L/clean" ]; then :
      elif [ -d "$tree" ] && [ -s "$L/fingerprint" ] && ( revert "$4" ) >>"$S/err" 2>&1; then :
      else ( renew ) >>"$S/err" 2>&1 || fail state "$(tr '\\n' ' ' < "$S/err" | cut -c 1-2000)"
      fi
      rm -f "$L/clean"
      if [ "$script" != - ]; then
        ( apply "$script" "$S" ) >>"$S/err" 2>&1 || fail state "$(tr '\\n' ' ' < "$S/err" | cut -c 1-2000)"
      fi
    fi
    printf '%s\\n' "$2" > "$L/current"
    say ok ;;
  run)
    # $1: lane $2: sandbox $3: key $4: seconds $5: grace $6: bytes of log $7: of tail $8: cwd $9: command, then variables
    L=$T/$1 S=$T/$1/s.$2 max=$6
    c=; read -r c 2>/dev/null < "$L/current"
    [ "$c" = "$2" ] || fail lost "the sandbox is not there any more"
    tree=$D/base; mark=; [ "$LANE_KIND" = overlay ] || { tree=$L/tree; read -r mark < "$L/mark"; }
    if mkdir -m 700 "$S/r.$3" 2>/dev/null; then
      alive || fail lost "the sandbox is dead"
      R=$S/r.$3 budget=$4 grace=$5 keep=$7 cwd=$tree$8 command=$9; shift 9
      supervise "$R" "$budget" "$grace" "$max" "$keep" "$cwd" "$command" "$@" \\
        "TMPDIR=$S/t" "GIT_CEILING_DIRECTORIES=$D" \${mark:+"SIDECANARY_SANDBOX=$mark."}
    elif [ -d "$S/r.$3" ]; then attach "$S/r.$3" "$max"
    else fail full "the folder of the command cannot be made"; fi ;;
  kill) # $1: lane $2: sandbox $3: key $4: why
    L=$T/$1 S=$T/$1/s.$2
    c=; read -r c 2>/dev/null < "$L/current"
    if [ "$c" = "$2" ]; then end_run "$S/r.$3" "$4" || fail busy "processes do not end"; fi
    say ok ;;
  close) # $1: lane $2: sandbox
    L=$T/$1 S=$T/$1/s.$2
    c=; read -r c 2>/dev/null < "$L/current"
    if [ "$c" = "$2" ]; then
      fence "$L" || fail busy "processes of the sandbox do not end"
      : > "$L/current"; discard "$S"
    fi
    say ok ;;
  freeze) # $1: lane $2: sandbox
    L=$T/$1 S=$T/$1/s.$2 tree=$T/$1/tree
    # Repeated after a lost answer.
    [ "$(cat "$L/frozen.id" 2>/dev/null)" = "$2" ] && { say ok; exit 0; }
    c=; read -r c 2>/dev/null < "$L/current"
    [ "$c" = "$2" ] || fail lost "the sandbox to freeze is not there any more"
    fence "$L" || fail busy "processes of the sandbox do not end"
    if [ "$LANE_KIND" = overlay ]; then
      mv "$S/u" "$L/f.$2" || fail state "the layer cannot be kept"
      { printf 'f.%s\\n' "$2"; [ ! -s "$L/frozen" ] || cat "$L/frozen"; } > "$L/frozen.new"
      mv "$L/frozen.new" "$L/frozen" || fail state "the layer cannot be kept"
    else
      erase "$L/pristine"
      ( snapshot ) 2>"$L/err" || fail state "$(tr '\\n' ' ' < "$L/err" | cut -c 1-2000)"
      cp -pPR "$tree" "$L/pristine" 2>"$L/err" || [ "$(id -u)" != 0 ] || fail state "the tree cannot be kept"
      : > "$L/clean"
    fi
    printf '%s\\n' "$2" > "$L/frozen.id"
    : > "$L/current"; discard "$S"
    say ok ;;
  remove) # $1: lane
    L=$T/$1
    [ -d "$L" ] || { say ok; exit 0; }
    fence "$L" || fail busy "processes of the lane do not end"
    n=0
    until erase "$L"; do n=$((n + 1)); [ "$n" -gt 50 ] && fail state "files of the lane cannot be removed"; nap; done
    say ok ;;
  destroy)
    for L in "$T"/*; do [ -d "$L" ] && { fence "$L" || fail busy "processes do not end in $L"; }; done
    cd /
    n=0
    until erase "$D"; do n=$((n + 1)); [ "$n" -gt 50 ] && fail state "files cannot be removed"; nap; done
    say ok ;;
  *) exit 64 ;;
esac
`;
