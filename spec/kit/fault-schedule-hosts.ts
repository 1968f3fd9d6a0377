import { setTimeout } from "node:timers/promises";
import { hostFailed } from "../../runtime/sidecars/host-failed.ts";
import { parseHostName } from "../../runtime/sidecars/host-name.ts";
import type { Host, HostExec, HostExit } from "../../runtime/sidecars/host.ts";
import type { HostProvider } from "../../runtime/sidecars/host-provider.ts";
import {
  type CallFault,
  type CommandVerb,
  type Death,
  DEATHS,
  type Drop,
  FAULTS_IN_A_BOOT,
  FAULTS_IN_A_ROW,
  type FaultSchedule,
} from "./fault-schedule.ts";

/** Hosts to which a {@link FaultSchedule} happens. */
export interface ScheduledHosts extends HostProvider {
  /** How often each fault really happened: `create refused`, `run unanswered`, `open death`. */
  readonly hit: ReadonlyMap<string, number>;
  /** How many faults were held back, as they would have been beyond the limits. */
  readonly heldBack: number;
}

/** What {@link scheduledHosts} needs to know. */
export interface ScheduledHostsOptions {
  readonly schedule: FaultSchedule;
  /** Loses a connection, as the network does. */
  readonly cut: (name: string, host: Host) => void;
  /** Ends a machine. @default nothing dies */
  readonly kill?: (name: string) => Promise<void>;
  /**
   * Hold back what would be beyond the limits.
   * @default true
   */
  readonly limited?: boolean;
}

/** The faults that a place had since something there went well. */
interface Row {
  isBooting: boolean;
  faults: number;
  /** By lane: a variant has its own attempts. */
  readonly lanes: Map<string, number>;
}

const VERBS: ReadonlySet<string> = new Set<CommandVerb>([
  "init",
  "base",
  "open",
  "run",
  "freeze",
  "close",
  "remove",
  "destroy",
]);

/** Lets the faults of a schedule happen to a provider and its hosts. */
export function scheduledHosts(
  hosts: HostProvider,
  { schedule, cut, kill, limited = true }: ScheduledHostsOptions,
): ScheduledHosts {
  const hit = new Map<string, number>();
  const rows = new Map<number, Row>();
  const counts = { create: 0, list: 0, connect: 0, destroy: 0 };
  const verbs = new Map<CommandVerb, number>();
  let heldBack = 0;
  let deaths = 0;

  const note = (what: string) => hit.set(what, (hit.get(what) ?? 0) + 1);
  const rowOf = (name: string): Row => {
    const index = parseHostName(name)?.index ?? -1;
    const row = rows.get(index) ?? { isBooting: true, faults: 0, lanes: new Map() };
    rows.set(index, row);
    return row;
  };
  const allows = ({ isBooting, faults, lanes }: Row): boolean =>
    Math.max(faults, ...lanes.values()) < (isBooting ? FAULTS_IN_A_BOOT : FAULTS_IN_A_ROW);
  /** Whether a fault may happen to these; if so, it is counted. */
  const take = (hurt: readonly Row[]): boolean => {
    if (limited && !hurt.every(allows)) {
      heldBack++;
      return false;
    }
    for (const row of hurt) {
      row.faults++;
      for (const [lane, faults] of row.lanes) row.lanes.set(lane, faults + 1);
    }
    return true;
  };
  const renew = (row: Row) => {
    row.isBooting = true;
    row.faults = 0;
    row.lanes.clear();
  };

  const call = async <Result>(
    what: keyof typeof counts,
    host: string,
    faults: readonly (CallFault | null)[],
    hurt: readonly Row[],
    work: () => Promise<Result>,
  ): Promise<Result> => {
    const fault = faults[counts[what]++];
    if (!fault || !take(hurt)) return await work();
    if (fault.when === "after") await work();
    note(`${what} ${fault.fault}${fault.when === "after" ? ", done" : ""}`);
    throw hostFailed(`${what} of ${host} was made to fail: ${fault.fault}`, { host, ...fault });
  };

  const exec = async (name: string, host: Host, request: HostExec): Promise<HostExit> => {
    const { verb, lane } = wordsOf(request.command);
    const nth = verbs.get(verb) ?? 0;
    verbs.set(verb, nth + 1);
    const row = rowOf(name);
    if (lane !== undefined && !row.lanes.has(lane)) row.lanes.set(lane, row.faults);
    const isThis = (each: Death) => each.verb === verb && each.nth === nth;
    const death = kill && schedule.deaths.find(isThis);
    if (death !== undefined && (!limited || deaths < DEATHS)) {
      deaths++;
      note(`${verb} death`);
      renew(row);
      return await during(host.exec(request), death.afterMs, () => kill?.(name));
    }
    const drop = schedule.drops.find(isThis);
    if (drop !== undefined && take([row])) {
      note(`${verb} ${drop.when}`);
      return await lose(drop, name, host, request);
    }
    const exit = await host.exec(request);
    if (verb === "init" && row.isBooting) {
      row.isBooting = false;
      row.faults = 0;
    }
    if (verb === "run" && lane !== undefined) {
      row.lanes.set(lane, 0);
      row.faults = 0;
    }
    return exit;
  };

  const lose = async (
    drop: Drop,
    name: string,
    host: Host,
    request: HostExec,
  ): Promise<HostExit> => {
    switch (drop.when) {
      case "unsent":
        cut(name, host);
        return await host.exec(request);
      case "running":
        return await during(host.exec(request), drop.afterMs, () => cut(name, host));
      case "unanswered": {
        const { onStdout: _, onStderr: __, ...quiet } = request;
        await host.exec(quiet);
        cut(name, host);
        // Rejects as a command of a lost connection does.
        return await host.exec({ command: "exit 0", signal: request.signal });
      }
    }
  };

  return {
    kind: hosts.kind,
    capacity: hosts.capacity,
    disposable: hosts.disposable,
    hit,
    get heldBack() {
      return heldBack;
    },
    describe: () => hosts.describe(),
    find: (name, signal) => hosts.find(name, signal),
    create: (spec, signal) =>
      call("create", spec.name, schedule.creates, [rowOf(spec.name)], () => {
        return hosts.create(spec, signal);
      }),
    connect: async (ref, signal) => {
      const host = await call("connect", ref.name, schedule.connects, [rowOf(ref.name)], () => {
        return hosts.connect(ref, signal);
      });
      return {
        name: host.name,
        closed: host.closed,
        exec: (request) => exec(ref.name, host, request),
        close: () => host.close(),
      };
    },
    list: (signal) =>
      call("list", "the hosts", schedule.lists, [...rows.values()], () => hosts.list(signal)),
    destroy: async (ref, signal) => {
      const row = rowOf(ref.name);
      await call("destroy", ref.name, schedule.destroys, [row], () => hosts.destroy(ref, signal));
      renew(row);
    },
    close: () => hosts.close(),
  };
}

/** How often each kind of fault happened, over many schedules. */
export function addHits(sum: Map<string, number>, hit: ReadonlyMap<string, number>): void {
  for (const [what, count] of hit) sum.set(what, (sum.get(what) ?? 0) + count);
}

async function during<Result>(
  work: Promise<Result>,
  afterMs: number,
  fault: () => Promise<void> | void,
): Promise<Result> {
  const [done] = await Promise.allSettled([work, setTimeout(afterMs).then(fault)]);
  if (done.status === "rejected") throw done.reason;
  return done.value;
}

function wordsOf(command: string): { readonly verb: CommandVerb; readonly lane?: string } {
  const [, verb = "", lane] = /; set -- '?([a-z]+)'?(?: '?(\d+)'?(?= |;))?/.exec(command) ?? [];
  if (!VERBS.has(verb)) return { verb: "other" };
  return lane === undefined || verb === "base"
    ? { verb: verb as CommandVerb }
    : { verb: verb as CommandVerb, lane };
}
