import { BASE } from "./receive-base.ts";
import { LOCK, PRELUDE } from "./workspace-script.ts";

/** Seconds that a script waits for what an earlier connection left running. */
export const PATIENCE = 300;

/**
 * Answers what is there: the tree of the base where it is `$want` and nothing in it was changed, else
 * the trees that are known and how much of a pack has arrived. What has arrived is copied to a name of
 * its own: a receiver whose connection froze may still write to the file that it opened.
 */
export const LOOK = `${PRELUDE}${BASE}${String.raw`
environment
[ -f "$dir/repo.git/HEAD" ] || fail workspace
if [ "$(marked)" = "$want" ] && unchanged; then say same; say done; exit 0; fi
git for-each-ref --format='%(refname:lstrip=2)' refs/payload | while read -r tree; do
  say "tree $tree"
done
best=
for part in "$dir"/part.*; do
  [ "$(size "$part")" -le "$(size "$best")" ] || best=$part
done
claim=
if [ -n "$best" ]; then
  id=${"$"}{best##*/part.}
  id=${"$"}{id%%.*}
  claim=$dir/part.$id.$$
  cp "$best" "$dir/claim.$$" && mv -f "$dir/claim.$$" "$claim" && say "part $id $$ $(size "$claim")"
fi
for part in "$dir"/part.*; do [ "$part" = "$claim" ] || rm -f "$part"; done
say done
`}`;

/** Takes the rest of the pack `$id` from standard input, and makes the base into `$want`. */
export const RECEIVE = `${PRELUDE}${LOCK}${BASE}${String.raw`
part=$dir/part.$id.${"$"}{claim:-$$}
for other in "$dir"/part.* "$dir"/claim.*; do
  case $other in "$dir/part.$id".*) ;; *) rm -f "$other";; esac
done
[ "$(size "$part")" = "$offset" ] || fail moved
[ "$offset" = "$total" ] || cat >>"$part" || fail write
exec </dev/null
lock
environment
if ! git rev-parse -q --verify "refs/payload/$want" >/dev/null; then
  [ "$(size "$part")" = "$total" ] || fail short
  rm -f "$dir"/repo.git/objects/pack/tmp_*
  in=$part
  if ! hold git index-pack --stdin --fix-thin >/dev/null; then
    [ -f "$part" ] && [ "$(git hash-object --no-filters "$part")" = "$id" ] && fail index
    rm -f "$part"
    fail corrupt
  fi
  in=
  hold git rev-list --objects --quiet "$commit" || { rm -f "$part"; fail incomplete; }
  git update-ref "refs/payload/$want" "$commit" || fail write
fi
rm -f "$dir"/part.*
become
say done
`}`;

/** Makes the base into `$want`, which is known. */
export const SWITCH = `${PRELUDE}${LOCK}${BASE}${String.raw`
rm -f "$dir"/part.* "$dir"/claim.*
lock
environment
become
say done
`}`;

/** Forgets every tree and object. The base stays. */
export const RENEW = `${PRELUDE}${LOCK}${String.raw`
lock
rm -rf "$dir"/part.* "$dir"/claim.* "$dir/repo.git/refs" "$dir/repo.git/packed-refs" \
  "$dir/repo.git/objects"
mkdir -p "$dir/repo.git/refs/heads" "$dir/repo.git/objects/pack" "$dir/repo.git/objects/info" ||
  fail write
say done
`}`;
