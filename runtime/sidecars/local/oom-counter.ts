import { readFileSync } from "node:fs";

/** How often the kernel has killed for want of memory: in this control group, and on the machine. */
export interface OomCount {
  readonly group: number;
  readonly machine: number;
}

/** Reads the counters; what cannot be read counts 0. */
export function readOomCount(): OomCount {
  return {
    group: firstCount([...groupFiles()]),
    machine: firstCount(["/proc/vmstat"]),
  };
}

/**
 * Whether a command was hit: any failure while the group's counter rose, or its death by SIGKILL
 * while the machine's did.
 */
export function wasOom(
  before: OomCount,
  after: OomCount,
  end: { readonly failed: boolean; readonly killed: boolean },
): boolean {
  return (end.failed && after.group > before.group) ||
    (end.killed && after.machine > before.machine);
}

function* groupFiles(): Iterable<string> {
  for (const line of text("/proc/self/cgroup").split("\n")) {
    const [, controllers = "", path = ""] = /^\d+:([^:]*):(.*)$/.exec(line) ?? [];
    if (controllers === "" && path !== "") {
      yield `/sys/fs/cgroup${path}/memory.events`;
      yield `/sys/fs/cgroup/memory.events`;
    } else if (controllers.split(",").includes("memory")) {
      yield `/sys/fs/cgroup/memory${path}/memory.oom_control`;
      yield `/sys/fs/cgroup/memory/memory.oom_control`;
    }
  }
}

function firstCount(files: readonly string[]): number {
  for (const file of files) {
    const count = /^oom_kill (\d+)$/m.exec(text(file))?.[1];
    if (count !== undefined) return Number(count);
  }
  return 0;
}

function text(file: string): string {
  try {
    return readFileSync(file, "latin1");
  } catch {
    return "";
  }
}
