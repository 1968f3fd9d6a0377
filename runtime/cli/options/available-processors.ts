import { readFileSync } from "node:fs";
import { availableParallelism } from "node:os";
import { posix } from "node:path";

/**
 * How many processors this process may use: what the runtime sees, no more than its affinity mask
 * and no more than the quota of its cgroup, at least 1. Not every runtime looks at the last two.
 *
 * @param read how a file of `/proc` and `/sys` is read
 * @param seen how many processors the runtime sees
 */
export function availableProcessors(
  read: (path: string) => string = (path) => readFileSync(path, "utf8"),
  seen: number = availableParallelism(),
): number {
  const attempt = (path: string): string | undefined => {
    try {
      return read(path);
    } catch {
      // Not Linux, or not mounted: then there is nothing to look at.
      return undefined;
    }
  };
  const limits = [seen, affinity(attempt), ...quotas(attempt)].filter((n) => n !== undefined);
  return Math.max(1, Math.floor(Math.min(...limits)));
}

type Attempt = (path: string) => string | undefined;

function affinity(attempt: Attempt): number | undefined {
  const list = /^Cpus_allowed_list:\s*(\S+)$/m.exec(attempt("/proc/self/status") ?? "")?.[1];
  if (list === undefined) return undefined;
  return list.split(",").reduce((sum, range) => {
    const [first, last = first] = range.split("-");
    return sum + Number(last) - Number(first) + 1;
  }, 0);
}

/** The quota of every cgroup from this process's own up to the root, v2 and v1. */
function quotas(attempt: Attempt): number[] {
  const found: number[] = [];
  for (const line of (attempt("/proc/self/cgroup") ?? "").split("\n")) {
    const [, controllers, path] = /^\d+:([^:]*):(.*)$/.exec(line) ?? [];
    if (controllers === undefined || path === undefined) continue;
    const unified = controllers === "";
    if (!unified && !controllers.split(",").includes("cpu")) continue;
    const mount = unified ? "/sys/fs/cgroup" : "/sys/fs/cgroup/cpu";
    for (let at = posix.join("/", path);; at = posix.dirname(at)) {
      const quota = unified
        ? quotaV2(attempt(posix.join(mount, at, "cpu.max")))
        : quotaV1(attempt, posix.join(mount, at));
      if (quota !== undefined) found.push(quota);
      if (at === "/") break;
    }
  }
  return found;
}

function quotaV2(text: string | undefined): number | undefined {
  const [quota, period] = (text ?? "").trim().split(" ").map(Number);
  return ratio(quota, period);
}

function quotaV1(attempt: Attempt, folder: string): number | undefined {
  return ratio(
    Number(attempt(`${folder}/cpu.cfs_quota_us`) ?? "-1"),
    Number(attempt(`${folder}/cpu.cfs_period_us`) ?? "0"),
  );
}

/** A tenth of a processor still runs one worker; `max` and -1 are no limit. */
function ratio(quota: number | undefined, period: number | undefined): number | undefined {
  if (quota === undefined || period === undefined || !(quota > 0) || !(period > 0)) {
    return undefined;
  }
  return Math.max(1, quota / period);
}
