/** Where a worker lives. */
export interface WorkerPlace {
  /** The index of its host. */
  readonly host: number;
  /** The place among the lanes of that host, from 0. */
  readonly lane: number;
}

/**
 * Workers fill the lanes of one host after the other.
 *
 * @param lanes how many each host has: one number for all of them, or one for each, the last of which
 *   holds for all that follow
 */
export function placeOfWorker(worker: number, lanes: number | readonly number[]): WorkerPlace {
  const each = typeof lanes === "number" ? [lanes] : lanes;
  let host = 0;
  let lane = worker;
  for (; host < each.length - 1 && lane >= (each[host] ?? 1); host++) lane -= each[host] ?? 1;
  const last = each[host] ?? 1;
  return { host: host + Math.floor(lane / last), lane: lane % last };
}
