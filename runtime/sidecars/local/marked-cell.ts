import { type ChildProcess, spawn } from "node:child_process";
import { SidecanaryError } from "../../errors.ts";
import type { Cell } from "./cell.ts";
import { settleWithin } from "./settle-within.ts";

const END_MS = 10_000;

// Waits for the end of our pipe, then kills the groups and what carries the mark in its environment
// until nothing does. A group whose leader has ended is kept while somebody is in it: only then is
// its number not given to another. Not every shell's kill knows `-KILL --`.
const WATCHDOG = `
groups=
while read -r word group; do
  case $word in
    +) groups="$groups $group" ;;
    -) next=
       for each in $groups; do
         kill -s 0 -- "-$each" 2>/dev/null && next="$next $each"
       done
       groups=$next ;;
  esac
done
for group in $groups; do kill -s KILL -- "-$group" 2>/dev/null; done
[ -r /proc/self/environ ] || exit 0
while :; do
  found=
  for file in $(grep -lazxF "$1" /proc/[0-9]*/environ 2>/dev/null); do
    pid=\${file#/proc/}; pid=\${pid%/environ}
    [ "$pid" = $$ ] && continue
    read -r stat 2>/dev/null < "/proc/$pid/stat" || continue
    case \${stat##*) } in Z*|X*) continue ;; esac
    found=1; kill -s KILL "$pid" 2>/dev/null
  done
  [ -n "$found" ] || exit 0
done`;

/**
 * A cell without namespaces: its processes share a mark in their environment and, until they leave
 * it, a process group. A process that has left the group and emptied its environment escapes.
 */
export class MarkedCell implements Cell {
  readonly view = "";
  readonly env: Readonly<Record<string, string>>;
  readonly #watchdog: ChildProcess;
  readonly #ended: Promise<void>;
  #over = false;

  /** @param mark a name that no other cell on this machine has */
  constructor(mark: string) {
    this.env = { SIDECANARY_SANDBOX: mark };
    this.#watchdog = spawn("sh", ["-c", WATCHDOG, "sh", `SIDECANARY_SANDBOX=${mark}`], {
      cwd: "/",
      stdio: ["pipe", "ignore", "ignore"],
      detached: true,
    });
    this.#watchdog.stdin?.on("error", () => {});
    this.#ended = new Promise((resolve) => {
      this.#watchdog.once("exit", () => resolve());
      this.#watchdog.once("error", () => resolve());
    });
  }

  enter(argv: readonly string[]): readonly string[] {
    return argv;
  }

  adopt(child: ChildProcess): void {
    if (child.pid === undefined) return;
    this.#watchdog.stdin?.write(`+ ${child.pid}\n`);
    child.once("exit", () => {
      if (!this.#over) this.#watchdog.stdin?.write(`- ${child.pid}\n`);
    });
  }

  alive(): boolean {
    return !this.#over && this.#watchdog.exitCode === null && this.#watchdog.signalCode === null;
  }

  async end(): Promise<void> {
    this.#over = true;
    this.#watchdog.stdin?.end();
    if (await settleWithin(this.#ended, END_MS)) return;
    throw new SidecanaryError(
      "sidecar-failed",
      `Processes with ${
        Object.entries(this.env).flat().join("=")
      } in their environment did not end ` +
        `within ${END_MS} ms of being killed; end them by hand.`,
      { sidecar: "local" },
    );
  }
}
