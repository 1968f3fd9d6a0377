import { LANE_COMMAND } from "./lane-command.ts";
import { LANE_OVERLAY } from "./lane-overlay.ts";
import { LANE_PROBE } from "./lane-probe.ts";
import { LANE_PROCESSES } from "./lane-processes.ts";
import { LANE_VERBS } from "./lane-verbs.ts";
import { LANE_WARM } from "./lane-warm.ts";

const LANE_BASE = `
LANE_KIND= LANE_GREP=
unset GIT_DIR GIT_WORK_TREE GIT_INDEX_FILE GIT_COMMON_DIR GIT_OBJECT_DIRECTORY
unset GIT_ALTERNATE_OBJECT_DIRECTORIES GIT_NAMESPACE GIT_CONFIG_PARAMETERS GIT_CONFIG_COUNT
T=$D/lanes
# Counts in units of 20 ms.
nap() {
  if sleep 0.02 2>/dev/null; then naps=$((naps + 1)); else sleep 1; naps=$((naps + 50)); fi
}
say() { printf '%s %s\\n' "$N" "$*"; }
fail() { say "! $*"; exit 0; }
g() {
  LC_ALL=C HOME=$T GIT_CONFIG_NOSYSTEM=1 GIT_CONFIG_GLOBAL=/dev/null GIT_ATTR_NOSYSTEM=1 \\
  GIT_DIR=$T/git GIT_WORK_TREE=$tree GIT_INDEX_FILE=$index git "$@"
}
`;

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
export const LANE_SCRIPT = [
  LANE_BASE,
  LANE_PROCESSES,
  LANE_OVERLAY,
  LANE_WARM,
  LANE_COMMAND,
  LANE_PROBE,
  LANE_VERBS,
].join("");
