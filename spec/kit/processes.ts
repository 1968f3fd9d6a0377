import { readdirSync, readFileSync } from "node:fs";
import { setTimeout } from "node:timers/promises";

/** The processes of this machine whose command line has `word` as one of its arguments. */
export function processesWith(word: string): number[] {
  return readdirSync("/proc").filter((name) => /^\d+$/.test(name)).map(Number).filter((pid) =>
    argumentsOf(pid).includes(word)
  );
}

/** Waits until `holds` does; throws with `what` after ten seconds. */
export async function until(what: string, holds: () => boolean | Promise<boolean>): Promise<void> {
  const deadline = Date.now() + 10_000;
  while (!(await holds())) {
    if (Date.now() > deadline) throw new Error(`not within ten seconds: ${what}`);
    await setTimeout(5);
  }
}

/** A number of seconds that no other sleep(1) on this machine was started with. */
export function uniqueSleep(): string {
  return `${10_000 + Math.floor(Math.random() * 80_000)}.${Math.floor(Math.random() * 1e9)}`;
}

function argumentsOf(pid: number): string[] {
  try {
    return readFileSync(`/proc/${pid}/cmdline`, "latin1").split("\0");
  } catch {
    return [];
  }
}
