import type { ChildProcess } from "node:child_process";
import { readFileSync } from "node:fs";
import type { Clock } from "../clock.ts";
import type { Instance } from "./instance.ts";

/** In characters. */
export interface TerminalSize {
  readonly rows: number;
  readonly cols: number;
}

const TERM = /^[A-Za-z0-9][A-Za-z0-9._+-]{0,63}$/;
const ATTEMPTS = 40;
const WAIT_MS = 50;

/**
 * The command line that runs `command` in a terminal: script(1) of util-linux makes one, as there is
 * no other way to it without native code.
 */
export function terminalCommand(
  command: string,
  { rows, cols }: TerminalSize,
  term: string | undefined,
): string[] {
  const shown = term !== undefined && TERM.test(term) ? term : "xterm-256color";
  const inner = `stty rows ${rows} cols ${cols}\n${command}`;
  return ["env", `TERM=${shown}`, "script", "-q", "-e", "-f", "-c", inner, "/dev/null"];
}

/** Resizes the terminal of a command made by {@link terminalCommand}, once it has one. */
export function resizeTerminal(
  instance: Instance,
  child: ChildProcess,
  { rows, cols }: TerminalSize,
  clock: Clock,
): void {
  let attempts = 0;
  const attempt = () => {
    const group = instance.cell.groupOf(child);
    if (group === undefined && child.exitCode !== null) return;
    const terminal = group === undefined ? undefined : terminalOf(group);
    if (terminal === undefined) {
      if (++attempts < ATTEMPTS) clock.setTimeout(attempt, WAIT_MS);
      return;
    }
    const argv = ["stty", "-F", `/dev/pts/${terminal}`, "rows", `${rows}`, "cols", `${cols}`];
    const { child: resized } = instance.start(argv);
    resized.on("error", () => {});
    for (const stream of [resized.stdin, resized.stdout, resized.stderr]) stream?.destroy();
  };
  attempt();
}

/** The number of the terminal that the child of script(1) has; see proc_pid_stat(5), tty_nr. */
function terminalOf(script: number): number | undefined {
  try {
    const children = readFileSync(`/proc/${script}/task/${script}/children`, "latin1").trim();
    for (const pid of children.split(" ").filter((text) => text !== "")) {
      const stat = readFileSync(`/proc/${pid}/stat`, "latin1");
      const device = Number(stat.slice(stat.lastIndexOf(")") + 2).split(" ")[4] ?? 0);
      const major = (device >> 8) & 0xfff;
      const minor = (device & 0xff) | ((device >> 12) & 0xfff00);
      if (major >= 136 && major <= 143) return (major - 136) * 256 + minor;
    }
  } catch {
    // It has ended.
  }
  return undefined;
}
