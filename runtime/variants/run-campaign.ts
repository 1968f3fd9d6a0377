import { mkdir } from "node:fs/promises";
import { join } from "node:path";
import process from "node:process";
import type { CampaignOutput } from "../../machines/campaign/events.ts";
import { isSidecanaryError } from "../errors.ts";
import { openEngine } from "../engine/engine.ts";
import { sweepLocal } from "../sidecars/local/local-provider.ts";
import { openSqliteStore } from "../store/sqlite/sqlite-store.ts";
import { capturePayload } from "../sync/capture.ts";
import { locate } from "../sync/locate.ts";
import { restoreBaseline } from "./baseline.ts";
import { sidecarId } from "./campaign-ids.ts";
import { campaignKey } from "./campaign-key.ts";
import { lockCampaigns } from "./campaign-lock.ts";
import { pruneLogs, withLogs } from "./campaign-logs.ts";
import { type CampaignHost, storedBaseline } from "./campaign-ports.ts";
import type { CampaignRequest } from "./campaign-request.ts";
import { checkRequest } from "./check-request.ts";
import { chooseCampaign, type ChosenCampaign, giveBackLeases } from "./choose-campaign.ts";
import { Fleet } from "./fleet.ts";
import { LeaseDesk, newWorker } from "./lease-desk.ts";
import { emptyFolders, openLocalSandboxes } from "./local-sandboxes.ts";
import { planOf } from "./plan.ts";
import { preflight } from "./preflight.ts";
import { Records } from "./records.ts";
import type { CampaignReport } from "./report.ts";
import { collections, report, type Session } from "./session.ts";
import { openStateFolder } from "./state-folder.ts";
import { type Driven, keepDurations, knownCount, storedReport } from "./stored-report.ts";
import { isTreeChanged } from "./tree-changed.ts";
import { machineHashes, wire } from "./wire.ts";

/** A dead process's leases are given back by hand; this is for what cannot be. */
const LEASE_MS = 5_000;

/**
 * Runs a campaign to its end: captures the working tree, tries every patch, runs the commands on the
 * unpatched payload, then on every variant, and says what is known. An unfinished campaign with the
 * same key (see `campaignKey`) goes on where it stopped.
 *
 * @throws RangeError when the request makes no sense: see {@link checkRequest}
 * @throws SidecanaryError `campaign-locked`, `payload-failed`, `git-failed`, `sandbox-unavailable`,
 * `usage`, `store-…`; the signal's reason when aborted before there is a campaign
 */
export async function runCampaign(request: CampaignRequest): Promise<CampaignReport> {
  const { signal, clock, random } = request;
  checkRequest(request);
  signal.throwIfAborted();
  const place = await locate(request.cwd, signal);
  const folder = await openStateFolder(request.stateHome, place.root);
  const closing: (() => Promise<void>)[] = [];
  const store = await openSqliteStore({ path: folder.database, clock, random });
  closing.push(() => store.close());
  try {
    const owner = `campaign-${process.pid}-${Math.floor(random() * 2 ** 48).toString(36)}`;
    const lock = await lockCampaigns({ store, clock, engine: owner, root: place.root });
    closing.push(() => lock.release());
    const records = new Records(store, clock);
    const began = performance.now();
    request.onProgress({ type: "phase", phase: "preflight" });
    await sweepLocal([folder.work]);
    await emptyFolders(folder);
    closing.push(() => emptyFolders(folder));
    const payload = await capturePayload({
      cwd: request.cwd,
      scratch: folder.payload,
      signal,
    });
    const plan = planOf(await preflight(payload, request.variants, { signal }));
    const provider = await openLocalSandboxes(request, folder, payload);
    closing.push(() => provider.close());
    request.onProgress({
      type: "isolation",
      description: provider.describe(),
      workers: request.workers,
    });
    const preflightMs = performance.now() - began;
    await giveBackLeases(store, lock.dead);
    const engine = await openEngine({ store, clock, random, owner, leaseMs: LEASE_MS });
    closing.push(() => engine.close());

    const key = campaignKey({
      request,
      payload,
      kind: provider.kind,
      env: process.env,
      machines: machineHashes(),
    });
    const chosen = await chooseCampaign(store, records, { key, fresh: request.fresh });
    const failures: unknown[] = [];
    const over = new AbortController();
    closing.push(() => Promise.resolve(over.abort(new Error("the campaign is over"))));
    const { campaign } = chosen;
    const workers = Array.from(
      { length: request.workers },
      (_, index) => newWorker(sidecarId(campaign, index), index),
    );
    const fail = (error: unknown) => void failures.push(error);
    const session: Session = {
      request,
      campaign,
      clock,
      engine,
      records,
      provider,
      payload,
      plan,
      desk: new LeaseDesk(engine, workers, fail),
      metrics: {
        phases: { preflightMs, baselineMs: 0, runningMs: 0, closingMs: 0 },
        commandMs: 0,
        verdicts: 0,
      },
      logs: join(folder.logs, campaign),
      warnings: new Set(),
      baselineMs: new Map(),
      changes: new Map(),
      signal: over.signal,
      fail,
    };
    for (const message of payload.warnings) report(session, { type: "warning", message });
    const driven = await drive(session, chosen);
    if (await isTreeChanged(payload, folder.payload)) {
      report(session, {
        type: "warning",
        message: "The working tree changed while the campaign ran: the verdicts are those of the " +
          "tree as it was when it began",
      });
    }
    const result = await storedReport(session, driven, failures);
    await keepDurations(records, result.results);
    await pruneLogs(records, folder);
    return await withLogs(result, request, session.logs);
  } finally {
    await closeAll(closing);
  }
}

/** Starts or resumes the campaign's actor and waits for its end. */
async function drive(
  session: Session,
  chosen: ChosenCampaign,
): Promise<Driven> {
  const { engine, campaign, request, plan, records } = session;
  const { signal } = request;
  const host: CampaignHost = {
    session,
    fleet: new Fleet(session),
    isWarm: false,
    pool: undefined,
  };
  const baseline = await storedBaseline(session);
  if (baseline !== undefined && baseline.failure === undefined) restoreBaseline(session, baseline);
  await mkdir(session.logs, { recursive: true, mode: 0o700 });
  wire(engine, host);
  for (const actor of chosen.superseded) {
    await engine.stop(actor, { eventId: `superseded:${engine.owner}` }).catch((error: unknown) => {
      // What another version of the machines began cannot run here, and need not be stopped.
      if (!isSidecanaryError(error, "machine-changed")) throw error;
    });
  }
  await records.write("campaigns", "last", chosen.row);
  const resumed = await knownCount(session);
  report(session, {
    type: "campaign",
    campaign,
    total: plan.planned.length,
    resumed,
    changed: chosen.changed,
  });
  const cancel = () => {
    const event = { type: "CANCEL", reason: "cancelled" };
    engine.deliver(campaign, event, { eventId: `cancel:${engine.owner}` }).catch(session.fail);
  };
  if (chosen.mode === "again") {
    await session.records.commit([
      { collection: collections.campaign(campaign), key: "stop", value: null },
    ]);
    await engine.restart(campaign, "initial", { eventId: `again:${engine.owner}` });
  } else if (chosen.mode === "new") {
    await engine.start(campaign, "campaign", { input: { campaign } });
  }
  if (signal.aborted) cancel();
  signal.addEventListener("abort", cancel, { once: true });
  try {
    const view = await engine.waitFor(campaign, ({ status }) => status !== "active");
    if (view.status === "done") {
      return { output: view.output as unknown as CampaignOutput, resumed };
    }
    throw new TypeError(`The campaign's actor ended as ${view.status}: ${describe(view.error)}`);
  } finally {
    signal.removeEventListener("abort", cancel);
  }
}

/** In the reverse order of opening; the first failure is thrown when all had their turn. */
async function closeAll(closing: readonly (() => Promise<void>)[]): Promise<void> {
  const failures: unknown[] = [];
  for (const close of [...closing].reverse()) {
    try {
      await close();
    } catch (error) {
      failures.push(error);
    }
  }
  if (failures.length > 0) throw failures[0];
}

function describe(error: unknown): string {
  return error instanceof Error ? error.message : JSON.stringify(error) ?? String(error);
}
