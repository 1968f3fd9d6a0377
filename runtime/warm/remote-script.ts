import { ANSWER, LOCK } from "../sidecars/remote/workspace-script.ts";

/**
 * Runs `$command` in `$dir/base$cwd` with the arguments as variables of its environment. A line of
 * ours on both outputs says that it begins; all that follows is the command's.
 *
 * With `$lease`, the command has no input and dies with the channel: when the standard input ends,
 * or `$budget` seconds (0: none) are over, its process group is killed, and what it left in the
 * background is killed when it ends. Without, the standard input is the command's. `$id.pid` names
 * the group for whoever wants to end it.
 */
export const RUN = `${LOCK}${String.raw`
cd "$dir/base$cwd" 2>/dev/null || cd "$home" 2>/dev/null || exit 3
exec 3<&0 </dev/null
leader=
command -v setsid >/dev/null 2>&1 && leader=setsid
group() { if [ -n "$leader" ]; then kill -s "$1" -- "-$child"; else kill -s "$1" "$child"; fi; }
printf '${ANSWER}%s\n' "$id"
printf '${ANSWER}%s\n' "$id" >&2
if [ -n "$lease" ]; then
  GIT_CEILING_DIRECTORIES=$dir $leader env "$@" sh -c "$command" 3<&- &
else
  GIT_CEILING_DIRECTORIES=$dir $leader env "$@" sh -c "$command" <&3 3<&- &
fi
child=$!
printf '%s %s\n' "$child" "$(born "$child")" >"$dir/$id.pid" 2>/dev/null
waiter= clock=
if [ -n "$lease" ]; then
  (
    while read -r nothing; do :; done <&3
    group TERM
    tries=0
    while [ "$tries" -lt 20 ] && kill -s 0 "$child"; do sleep 0.1 || sleep 1; tries=$((tries + 1)); done
    group KILL
  ) >/dev/null 2>&1 &
  waiter=$!
  if [ "$budget" != 0 ]; then
    (
      exec 3<&-
      while [ "$budget" -gt 0 ]; do sleep 1; budget=$((budget - 1)); done
      group KILL
    ) >/dev/null 2>&1 &
    clock=$!
  fi
fi
exec 3<&-
wait "$child"
code=$?
if [ -n "$lease" ]; then
  kill $waiter $clock 2>/dev/null
  [ -z "$leader" ] || group KILL 2>/dev/null
fi
rm -f "$dir/$id.pid"
exit "$code"
`}`;

/** Ends what `$id.pid` names: a kind word first. */
export const STOP = `${LOCK}${String.raw`
[ -f "$dir/$id.pid" ] && read -r pid start <"$dir/$id.pid" && holds "$pid" "$start" || exit 0
kill -s TERM -- "-$pid" 2>/dev/null || kill -s TERM "$pid" 2>/dev/null
tries=0
while [ "$tries" -lt 20 ] && kill -s 0 "$pid" 2>/dev/null; do
  sleep 0.1 2>/dev/null || sleep 1
  tries=$((tries + 1))
done
kill -s KILL -- "-$pid" 2>/dev/null || kill -s KILL "$pid" 2>/dev/null
rm -f "$dir/$id.pid"
exit 0
`}`;
