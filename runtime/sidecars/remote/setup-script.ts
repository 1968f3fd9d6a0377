import { BASE } from "./receive-base.ts";
import { LOCK, PRELUDE } from "./workspace-script.ts";

/**
 * Runs `$command` in the base unless `$key` was done. It dies with the channel: when the standard
 * input ends before the command does, its process group is killed, or where there is no `setsid` the
 * command alone. Its output goes to standard error.
 *
 * A command that changed files of the payload gets them restored: the base is what was delivered, and
 * what the tests of every variant start from. `setup.key` is written last.
 */
export const SETUP = `${PRELUDE}${LOCK}${BASE}${String.raw`
is_done() { [ -f "$dir/setup.key" ] && [ "$(cat "$dir/setup.key")" = "$key" ]; }
if is_done; then say same; say done; exit 0; fi
exec 3<&0 </dev/null
lock
if is_done; then say same; say done; exit 0; fi
[ "$(marked)" = "$want" ] || fail stale
rm -f "$dir/setup.key"
cd "$dir/base" || fail workspace
leader=
command -v setsid >/dev/null 2>&1 && leader=setsid
$leader sh -c "$command" 3<&- >&2 &
child=$!
note "$child"
(
  read -r nothing <&3
  if [ -n "$leader" ]; then kill -KILL "-$child"; else kill -KILL "$child"; fi
) >/dev/null 2>&1 &
lease=$!
exec 3<&-
wait "$child"
code=$?
kill "$lease" 2>/dev/null
cd /
environment
if [ "$code" != 0 ]; then say "exit $code"; say done; exit 0; fi
if ! prove; then
  [ -f "$dir/next.index" ] || fail write
  git diff-files --name-only | sed 20q | while read -r name; do say "changed $name"; done
  forward
  mv -f "$dir/next.index" "$dir/base.index" && GIT_INDEX_FILE="$dir/base.index" || fail write
  export GIT_INDEX_FILE
  { write && prove; } || { show; fail proof; }
fi
true >"$dir/stamp" && echo "$key" >"$dir/next.key" && mv -f "$dir/next.key" "$dir/setup.key" ||
  fail write
say done
`}`;
