import { fromCallback, fromPromise } from "xstate";
import type { CampaignPorts } from "../../machines/campaign/ports.ts";
import type { StatusCounts } from "../../machines/campaign/events.ts";
import type { SidecarOutput } from "../../machines/sidecar/events.ts";
import { allActors } from "./all-actors.ts";
import { type BaselineRow, renewBaseline, runBaseline } from "./baseline.ts";
import type { Fleet } from "./fleet.ts";
import { Pool, type StopRow } from "./pool.ts";
import { collections, report, type Session } from "./session.ts";

/** What the ports of one campaign keep between them. */
export interface CampaignHost {
  readonly session: Session;
  readonly fleet: Fleet;
  /** Whether this process's sidecars were seen to be green. */
  isWarm: boolean;
  pool: Pool | undefined;
}

/** The ports of the campaign machine. */
export function campaignPorts(hostOf: (campaign: string) => CampaignHost): CampaignPorts {
  return {
    preflight: fromPromise(({ input }) => {
      const { plan, request } = hostOf(input.campaign).session;
      const error = plan.planned.filter(({ kind }) => kind === "error").length;
      const rejected: StatusCounts = { killed: 0, survived: 0, timeout: 0, error, skipped: 0 };
      const planned = plan.planned.length - error;
      // Nothing planned ends a campaign before its baseline.
      const isBaselineOnly = request.baseline === "only";
      return Promise.resolve({
        planned: isBaselineOnly ? Math.max(1, planned) : planned,
        rejected,
      });
    }),

    baseline: fromPromise(async ({ input, signal }) => {
      const host = hostOf(input.campaign);
      const began = performance.now();
      report(host.session, { type: "phase", phase: "baseline" });
      try {
        const baseline = await runBaseline(host.session, host.fleet, signal);
        host.isWarm = true;
        return baseline;
      } finally {
        host.session.metrics.phases.baselineMs += performance.now() - began;
      }
    }),

    pool: fromCallback(({ input, sendBack }) => {
      const host = hostOf(input.campaign);
      const { session, fleet } = host;
      const stopped = new AbortController();
      const pool = host.pool = new Pool(session, fleet, sendBack);
      const run = async () => {
        if (!host.isWarm) await renewBaseline(session, fleet, stopped.signal);
        host.isWarm = true;
        await pool.run();
      };
      run().catch((error: unknown) => {
        if (!stopped.signal.aborted) pool.failed(error);
      });
      return () => {
        stopped.abort(new Error("the pool was stopped"));
        pool.cancel();
      };
    }),

    close: fromPromise(async ({ input }) => {
      const { session, pool } = hostOf(input.campaign);
      const began = performance.now();
      // The pool has told of it before its closing controls.
      if (pool === undefined) report(session, { type: "phase", phase: "closing" });
      await cancelRuns(session, input.end);
      await session.desk.told();
      await drainSidecars(session);
      session.metrics.phases.closingMs += performance.now() - began;
      const collection = collections.campaign(session.campaign);
      const stop = await session.records.read<StopRow>(collection, "stop");
      const isVoid = stop?.reason === "void";
      return { void: isVoid, reason: isVoid ? "void" : null };
    }),
  };
}

/** The row of the baseline, for a process that takes over. */
export async function storedBaseline(session: Session): Promise<BaselineRow | undefined> {
  const collection = collections.campaign(session.campaign);
  return await session.records.read<BaselineRow>(collection, "baseline");
}

/** Ends the variant runs that are still going. */
async function cancelRuns(session: Session, end: string): Promise<void> {
  const { engine, campaign } = session;
  const active = await activeActors(session, `${campaign}/`);
  await Promise.all(active.map(async (id) => {
    const event = { type: "CANCEL", reason: end === "cancelled" ? "cancelled" : "not-run" };
    await engine.deliver(id, event, { eventId: `close:${engine.owner}` });
    await engine.waitFor(id, ({ status }) => status !== "active");
  }));
}

async function drainSidecars(session: Session): Promise<void> {
  const { engine, campaign } = session;
  const ids = await activeActors(session, `${campaign}#`);
  await Promise.all(ids.map(async (id) => {
    await engine.deliver(id, { type: "DRAIN" }, { eventId: `close:${engine.owner}` });
    const view = await engine.waitFor(id, ({ status }) => status !== "active");
    const output = view.output as unknown as SidecarOutput | null;
    if (output?.destroyed !== false) return;
    report(session, {
      type: "warning",
      message: `Sidecar "${id}" may be left behind: ${output.failure?.message ?? output.reason}`,
    });
  }));
}

async function activeActors({ engine }: Session, prefix: string): Promise<string[]> {
  const found: string[] = [];
  for await (const { id } of allActors(engine.store, { prefix, status: "active" })) found.push(id);
  return found;
}
