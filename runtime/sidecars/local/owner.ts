import { createHash, randomBytes } from "node:crypto";
import { readFileSync, readlinkSync } from "node:fs";
import process from "node:process";

const PREFIX = "sc";

/** Who made a scratch directory; it is part of the directory's name, so it is there from the start. */
export interface Owner {
  /** Which boot of which machine, and which process namespace, the pid belongs to. */
  readonly place: string;
  readonly pid: number;
  /** When the process started, in clock ticks since boot: tells a recycled pid apart. */
  readonly started: string;
}

/** This process as an owner. */
export function currentOwner(): Owner {
  return { place: currentPlace(), pid: process.pid, started: startOf(process.pid) ?? "0" };
}

/** A new name of a scratch directory that says who owns it. */
export function scratchName(owner: Owner = currentOwner()): string {
  const { place, pid, started } = owner;
  return [PREFIX, place, pid, started, randomBytes(3).toString("hex")].join("-");
}

/** The owner that a directory's name tells of, or `undefined` where the name is none of ours. */
export function ownerOf(name: string): Owner | undefined {
  const match = /^sc-([0-9a-f]{8})-(\d+)-(\d+)-[0-9a-f]{6}$/.exec(name);
  if (match === null) return undefined;
  const [, place = "", pid = "", started = ""] = match;
  return { place, pid: Number(pid), started };
}

/**
 * Whether the owner still runs: `unknown` where it belongs to another machine, an earlier boot or
 * another process namespace, whose processes cannot be seen from here.
 */
export function ownerState(owner: Owner): "alive" | "dead" | "unknown" {
  if (owner.place !== currentPlace()) return "unknown";
  if (owner.started === "0") return exists(owner.pid) ? "alive" : "dead";
  return startOf(owner.pid) === owner.started ? "alive" : "dead";
}

/** When a living process started, in clock ticks since boot; `undefined` for none and for zombies. */
export function startOf(pid: number): string | undefined {
  let stat: string;
  try {
    stat = readFileSync(`/proc/${pid}/stat`, "latin1");
  } catch {
    return undefined;
  }
  // The second field is the name in parentheses and may hold blanks and parentheses itself.
  const fields = stat.slice(stat.lastIndexOf(")") + 2).split(" ");
  return fields[0] === "Z" || fields[0] === "X" ? undefined : fields[19];
}

function currentPlace(): string {
  const parts = [
    read(() => readFileSync("/proc/sys/kernel/random/boot_id", "latin1")),
    read(() => readlinkSync("/proc/self/ns/pid")),
  ];
  return createHash("sha256").update(parts.join("\n")).digest("hex").slice(0, 8);
}

function exists(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return true;
  } catch (error) {
    return (error as NodeJS.ErrnoException).code === "EPERM";
  }
}

function read(source: () => string): string {
  try {
    return source();
  } catch {
    return "";
  }
}
