/**
 * A part of {@link ./lane-script.ts}.
 *
 * An overlay lane: `hold` mounts it in a namespace of its own, `enter` runs something there, `apply`
 * brings a change to it.
 */
export const LANE_OVERLAY = `
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
`;
