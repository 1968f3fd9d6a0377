import { execFileSync } from "node:child_process";
import { readdirSync, readFileSync } from "node:fs";
import process from "node:process";

/** Kills every process below this one, the nearest first, so that none of them starts another. */
export function killDescendants(): void {
  for (const pid of descendants(process.pid, parents())) {
    try {
      process.kill(pid, "SIGKILL");
    } catch (error) {
      // It has ended by itself, or is not ours to end.
      if (!["ESRCH", "EPERM"].includes((error as NodeJS.ErrnoException).code ?? "")) throw error;
    }
  }
}

/** The processes below `root`, breadth first. `parents` has the parent of each process. */
export function descendants(root: number, parents: ReadonlyMap<number, number>): number[] {
  const found: number[] = [];
  for (let level = [root]; level.length > 0;) {
    const above = new Set(level);
    level = [...parents].filter(([, parent]) => above.has(parent)).map(([pid]) => pid);
    found.push(...level);
  }
  return found;
}

function parents(): Map<number, number> {
  try {
    return fromProc();
  } catch {
    // No /proc: ps is asked.
    const text = execFileSync("ps", ["-A", "-o", "pid=,ppid="], { encoding: "utf8" });
    return new Map(
      text.trim().split("\n").map((line) => line.trim().split(/\s+/).map(Number))
        .map(([pid = 0, parent = 0]) => [pid, parent]),
    );
  }
}

function fromProc(): Map<number, number> {
  const found = new Map<number, number>();
  for (const name of readdirSync("/proc")) {
    if (!/^\d+$/.test(name)) continue;
    try {
      // The name in parentheses may hold anything.
      const stat = readFileSync(`/proc/${name}/stat`, "utf8");
      const parent = Number(stat.slice(stat.lastIndexOf(")") + 2).split(" ")[1]);
      found.set(Number(name), parent);
    } catch {
      // It ended while we looked.
    }
  }
  return found;
}
