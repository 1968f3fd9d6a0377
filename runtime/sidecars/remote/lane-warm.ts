/**
 * A part of {@link ./lane-script.ts}.
 *
 * A warm lane: `snapshot` takes what it holds as the state that `revert` comes back to, by git and a
 * fingerprint of what git does not keep; `renew` makes it anew.
 */
export const LANE_WARM = `
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
`;
