/**
 * A part of {@link ./lane-script.ts}.
 *
 * Finds out how this host keeps lanes apart, by doing it, and writes it to `$T/tools`.
 */
export const LANE_PROBE = `
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
`;
