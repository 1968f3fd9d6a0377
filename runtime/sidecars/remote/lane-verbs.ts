/**
 * A part of {@link ./lane-script.ts}.
 *
 * What the script is called with: `init`, `base`, `open`, `run`, `kill`, `close`, `freeze`, `remove`,
 * `destroy`; `inner` and `aside` are its own.
 */
export const LANE_VERBS = `
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
