import { join } from "node:path";
import process from "node:process";
import { openEngine } from "../engine/engine.ts";
import { sweepLocal } from "../sidecars/local/local-provider.ts";
import { openSqliteStore } from "../store/sqlite/sqlite-store.ts";
import { capturePayload } from "../sync/capture.ts";
import { locate } from "../sync/locate.ts";
import { sidecarId } from "./campaign-ids.ts";
import { campaignKey } from "./campaign-key.ts";
import { lockCampaigns } from "./campaign-lock.ts";
import type { CampaignRequest } from "./campaign-request.ts";
import { chooseCampaign, type ChosenCampaign, giveBackLeases } from "./choose-campaign.ts";
import { LeaseDesk, newWorker } from "./lease-desk.ts";
import { emptyFolders } from "./local-sandboxes.ts";
import { openSandboxes } from "./open-sandboxes.ts";
import { planOf } from "./plan.ts";
import { preflight } from "./preflight.ts";
import { Records } from "./records.ts";
import { report, type Session } from "./session.ts";
import { openStateFolder, type StateFolder } from "../state-folder.ts";
import { StoreWatch } from "./store-watch.ts";
import { machineHashes } from "./wire.ts";

/** A dead process's leases are given back by hand; this is for what cannot be. */
const LEASE_MS = 5_000;

/** Everything that a campaign runs with. */
export interface ReadyCampaign {
  readonly session: Session;
  readonly chosen: ChosenCampaign;
  readonly folder: StateFolder;
  readonly watch: StoreWatch;
  /** What should not have happened. */
  readonly failures: readonly unknown[];
}

/**
 * Captures the working tree, tries every patch, opens sandboxes and engine, and decides which campaign
 * to run.
 *
 * @param closing gets what must be undone, in the order of opening, also where this rejects
 */
export async function prepareCampaign(
  request: CampaignRequest,
  closing: (() => Promise<void>)[],
): Promise<ReadyCampaign> {
  const { signal, clock, random } = request;
  signal.throwIfAborted();
  const place = await locate(request.cwd, signal);
  const folder = await openStateFolder(request.stateHome, place.root);
  const store = await openSqliteStore({ path: folder.database, clock, random });
  closing.push(() => store.close());
  const owner = `campaign-${process.pid}-${Math.floor(random() * 2 ** 48).toString(36)}`;
  const lock = await lockCampaigns({ store, clock, engine: owner, root: place.root });
  const watch = new StoreWatch({ store, clock, folder: folder.dir });
  closing.push(async () => watch.isGivenUp ? lock.abandon() : await lock.release());
  closing.push(() => Promise.resolve(watch.close()));
  const records = new Records(store, clock, (error) => watch.note(error));
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
  const warnings = new Set<string>();
  const sandboxes = await openSandboxes(request, folder, payload, { warnings }, closing);
  const preflightMs = performance.now() - began;
  await giveBackLeases(store, lock.dead);
  const engine = await openEngine({
    store,
    clock,
    random,
    owner,
    leaseMs: LEASE_MS,
    onProblem: ({ kind, message, error }) => {
      if (kind === "store") watch.note(error);
      // Actors of campaigns that an older version began stay as they are.
      if (kind !== "quarantined") report({ request, warnings }, { type: "warning", message });
    },
  });
  closing.push(() => engine.close());

  const key = campaignKey({
    request,
    payload,
    kind: sandboxes.kind,
    env: process.env,
    machines: machineHashes(),
  });
  const chosen = await chooseCampaign(store, records, { key, fresh: request.fresh });
  const provider = await sandboxes.open(chosen.campaign);
  request.onProgress({
    type: "isolation",
    description: provider.describe(),
    workers: request.workers,
  });
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
    warnings,
    baselineMs: new Map(),
    changes: new Map(),
    signal: over.signal,
    fail,
  };
  return { session, chosen, folder, watch, failures };
}
