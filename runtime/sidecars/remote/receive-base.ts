/**
 * Makes the base into the tree `$want` and proves it. It needs the lock and the environment.
 *
 * `base.tree` names the verified tree. It is gone while the base is being changed, and `base.dirty`
 * then names every tree that may have left files: after a crash the next delivery takes away what
 * any of them had and brings the base to its own tree, before the marker comes back. Files that no
 * tree ever had, which a setup or a build made, stay.
 *
 * The proof: an index of the tree without any memory of the disk, for which git reads every file of
 * the base and compares its content, kind and executable bit. It becomes the base's index. git reads
 * a file again and again that is as young as its index, which is dated to the last look therefore.
 */
export const BASE = String.raw`
marked() { tree=; if [ -f "$dir/base.tree" ]; then read -r tree <"$dir/base.tree"; fi; echo "$tree"; }
unchanged() {
  GIT_INDEX_FILE="$dir/base.index"
  export GIT_INDEX_FILE
  true >"$dir/look.$$" && git diff-files --quiet && touch -r "$dir/look.$$" "$GIT_INDEX_FILE"
  code=$?
  rm -f "$dir/look.$$"
  return "$code"
}
forward() {
  [ -f "$dir/stamp" ] || return 0
  tries=0
  until true >"$dir/now" && [ -n "$(find "$dir/now" -newer "$dir/stamp")" ]; do
    tries=$((tries + 1))
    [ "$tries" -le 3 ] || { say clock; return 0; }
    sleep 1
  done
}
write() { hold git read-tree --reset -u "$want" 2>"$dir/said" && [ ! -s "$dir/said" ]; }
update() {
  rm -f "$dir/base.index.lock" "$dir/next.index" "$dir/next.index.lock"
  GIT_INDEX_FILE="$dir/next.index"
  export GIT_INDEX_FILE
  for tree in $(cat "$dir/base.dirty"); do
    [ "$tree" = "$want" ] && continue
    [ "$tree" = "$from" ] && continue
    git read-tree "$tree" || return 1
    hold git update-index -q --refresh >/dev/null
    write || return 1
    mv -f "$dir/next.index" "$dir/base.index"
  done
  GIT_INDEX_FILE="$dir/base.index"
  write
}
prove() {
  rm -f "$dir/next.index" "$dir/next.index.lock"
  GIT_INDEX_FILE="$dir/next.index"
  export GIT_INDEX_FILE
  git read-tree "$want" || return 1
  hold git update-index -q --refresh >/dev/null
  git diff-files --name-status >"$dir/said" || return 1
  [ ! -s "$dir/said" ] || return 1
  mv -f "$dir/next.index" "$dir/base.index"
}
mark() {
  true >"$dir/stamp" && echo "$want" >"$dir/next.tree" && mv -f "$dir/next.tree" "$dir/base.tree" &&
    rm -f "$dir/base.dirty"
}
wipe() {
  rm -f "$dir/setup.key" "$dir/base.index"
  [ ! -d "$dir/base" ] || chmod -R u+rwx "$dir/base" 2>/dev/null
  rm -rf "$dir/base" && mkdir "$dir/base"
}
show() { sed 5q "$dir/said" >&2; }
become() {
  from=$(marked)
  [ -f "$dir/base.index" ] || from=
  { [ -z "$from" ] || echo "$from"; echo "$want"; } >>"$dir/base.dirty" || fail write
  rm -f "$dir/base.tree"
  [ -d "$dir/base" ] || mkdir "$dir/base" || fail write
  forward
  if ! update || ! prove; then
    [ "$(space)" != 0 ] || { show; fail write; }
    say rebuilt
    wipe || fail write
    from=
    echo "$want" >"$dir/base.dirty"
    update || { show; fail checkout; }
    prove || { show; fail proof; }
  fi
  mark || fail write
}
`;
