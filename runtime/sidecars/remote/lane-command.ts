/**
 * A part of {@link ./lane-script.ts}.
 *
 * A command: `supervise` runs it to its end, whoever listens; `attach` waits for one that runs;
 * `emit` tells its result.
 */
export const LANE_COMMAND = `
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
  [ -d "$S" ] || return 0
  [ -e "$1/status" ] || printf '%s\\n' "$2" > "$1/why"
  : > "$S/dead"
  fence "$L"
}

# Ends what a command left where the files that tell of it were removed, by itself or by others.
end_orphans() {
  [ ! -d "$R" ] || return 1
  if [ "$LANE_KIND" = overlay ]; then same "$inner" "$innerstart" && kill -s KILL "$inner"
  elif [ "$LANE_GROUPS" != none ]; then group_lives "$p" && kill -s KILL -- "-$p"; fi
  return 0
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
    end_orphans || end_run "$R" timeout ) </dev/null >/dev/null 2>&1 3<&- & w=$!
  ( trap '' HUP PIPE; while read -r _; do :; done <&3
    i=0
    while [ "$i" -lt "$grace" ]; do
      sleep 1; i=$((i + 1)); a=
      read -r a astart 2>/dev/null < "$R/attached" && same "$a" "$astart" && i=0
    done
    end_orphans || end_run "$R" vanished ) </dev/null >/dev/null 2>&1 & v=$!
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
  ! end_orphans || fail lost "the sandbox was removed"
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
  naps=0
  while [ ! -e "$1/status" ]; do
    s= ; read -r s sstart 2>/dev/null < "$1/supervisor"
    if [ -n "$s" ] && ! same "$s" "$sstart" && [ ! -e "$1/status" ]; then
      kill -s KILL "$v"; fail lost "the command's supervisor was killed"
    fi
    # Whoever made the folder was killed before its first line: nobody will run the command.
    if [ -z "$s" ] && [ "$naps" -gt 250 ] && [ ! -e "$1/status" ]; then
      kill -s KILL "$v"; fail lost "the command has no supervisor"
    fi
    nap
  done
  kill -s KILL "$v"
  emit "$1" "$2"
}
`;
