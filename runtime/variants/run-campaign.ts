import { cp, mkdir, readdir, rm } from "node:fs/promises";
import { join, relative, resolve } from "node:path";
import process from "node:process";
import type { CampaignOutput } from "../../machines/campaign/events.ts";
import { openEngine } from "../engine/engine.ts";
import type { Provider } from "../sidecars/provider.ts";
import { createLocalProvider, sweepLocal } from "../sidecars/local/local-provider.ts";
import { removeTree } from "../sidecars/local/remove-tree.ts";
import { openSqliteStore } from "../store/sqlite/sqlite-store.ts";
import { capturePayload } from "../sync/capture.ts";
import { checkoutPayload } from "../sync/checkout.ts";
import { runGit } from "../sync/git.ts";
import { locate } from "../sync/locate.ts";
import type { Payload } from "../sync/payload.ts";
import { restoreBaseline } from "./baseline.ts";
import { runRowKey, sidecarId } from "./campaign-ids.ts";
import { campaignKey } from "./campaign-key.ts";
import { lockCampaigns } from "./campaign-lock.ts";
import { type CampaignHost, storedBaseline } from "./campaign-ports.ts";
import { campaignReport, type KnownVerdict } from "./campaign-report.ts";
import type { CampaignRequest } from "./campaign-request.ts";
import { chooseCampaign, type ChosenCampaign, giveBackLeases } from "./choose-campaign.ts";
import { Fleet } from "./fleet.ts";
import { knownRuns } from "./known-runs.ts";
import { LeaseDesk, newWorker } from "./lease-desk.ts";
import { planOf } from "./plan.ts";
import type { StopRow } from "./pool.ts";
import { preflight } from "./preflight.ts";
import { Records } from "./records.ts";
import type { CampaignReport, VariantResult } from "./report.ts";
import { collections, report, type Session } from "./session.ts";
import { openStateFolder, type StateFolder } from "./state-folder.ts";
import { isTreeChanged } from "./tree-changed.ts";
import type { OutputRow } from "./variant-run-ports.ts";
import { wire } from "./wire.ts";

/** How many campaigns of a working tree keep their logs. */
const KEPT_CAMPAIGNS = 5;
/** A dead process's leases are given back by hand; this is for what cannot be. */
const LEASE_MS = 5_000;

/**
 * Runs a campaign to its end: captures the working tree, tries every patch, runs the commands on the
 * unpatched payload, then on every variant, and says what is known. An unfinished campaign with the
 * same key (see `campaignKey`) goes on where it stopped.
 *
 * @throws SidecanaryError `campaign-locked`, `payload-failed`, `git-failed`, `sandbox-unavailable`,
 * `usage`, `store-…`; the signal's reason when aborted before there is a campaign
 */
export async function runCampaign(request: CampaignRequest): Promise<CampaignReport> {
  const { signal, clock, random } = request;
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
    report0(request, { type: "phase", phase: "preflight" });
    await sweepLocal([folder.work]);
    await emptyFolders(folder);
    closing.push(() => emptyFolders(folder));
    const payload = await capturePayload({
      cwd: request.cwd,
      scratch: folder.payload,
      signal,
    });
    const plan = planOf(await preflight(payload, request.variants, { signal }));
    const provider = await openProvider(request, folder, payload);
    closing.push(() => provider.close());
    report0(request, {
      type: "isolation",
      description: provider.describe(),
      workers: request.workers,
    });
    const preflightMs = performance.now() - began;
    await giveBackLeases(store, lock.dead);
    const engine = await openEngine({ store, clock, random, owner, leaseMs: LEASE_MS });
    closing.push(() => engine.close());

    const key = campaignKey({ request, payload, kind: provider.kind, env: process.env });
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
    const result = await reportFrom(session, driven, failures);
    await keepDurations(records, result.results);
    await pruneLogs(records, folder);
    return await withLogs(result, request, session.logs);
  } finally {
    await closeAll(closing);
  }
}

interface Driven {
  readonly output: CampaignOutput;
  /** How many verdicts were there before. */
  readonly resumed: number;
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
    await engine.stop(actor, { eventId: `superseded:${engine.owner}` });
  }
  await records.write("campaigns", "last", chosen.row);
  const resumed = await resumedCount(session);
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

async function reportFrom(
  session: Session,
  { output, resumed }: Driven,
  failures: readonly unknown[],
): Promise<CampaignReport> {
  const { request, campaign, records, plan, provider, metrics } = session;
  const outputs = await records.all<OutputRow>(collections.outputs(campaign));
  const verdicts = new Map<string, KnownVerdict>();
  for (const { key, verdict } of await knownRuns(session)) {
    if (verdict === null) continue;
    verdicts.set(key.variant, { verdict, output: outputs.get(runRowKey(key)) ?? null });
  }
  const stop = await records.read<StopRow>(collections.campaign(campaign), "stop");
  const baseline = await storedBaseline(session) ?? null;
  const hidden = request.baseline === "only" && output.end === "complete";
  for (const failure of failures) {
    report(session, { type: "warning", message: `Unexpected: ${describe(failure)}` });
  }
  return campaignReport({
    version: request.version,
    campaign,
    end: output.end,
    reason: reasonOf(output, stop, baseline?.failure?.message),
    planned: hidden ? [] : plan.planned,
    verdicts,
    unrun: stop?.reason ?? (output.end === "cancelled" ? "cancelled" : "not-run"),
    baseline,
    isBaselineSkipped: request.baseline === "skip",
    metrics,
    workers: request.workers,
    isolation: provider.describe(),
    kind: provider.kind,
    warnings: [...session.warnings],
    resumed,
  });
}

function reasonOf(
  { end, reason }: CampaignOutput,
  stop: StopRow | undefined,
  baseline: string | undefined,
): string | null {
  if (end === "complete") return null;
  if (end === "void") return stop?.message ?? reason;
  if (end === "baseline-failed") return baseline ?? reason;
  return reason === "unexpected" ? "internal" : reason;
}

async function resumedCount(session: Session): Promise<number> {
  let count = 0;
  for (const { key, verdict } of await knownRuns(session)) {
    if (verdict === null || verdict.status === "skipped") continue;
    count += 1 + (session.plan.twins.get(key.variant)?.length ?? 0);
  }
  return count;
}

async function openProvider(
  request: CampaignRequest,
  folder: StateFolder,
  payload: Payload,
): Promise<Provider> {
  const { isolation, signal } = request;
  const checkout = join(folder.dir, "checkout");
  await mkdir(checkout, { mode: 0o700 });
  await checkoutPayload(payload, checkout, { signal });
  return await createLocalProvider({
    root: payload.root,
    cwd: join(payload.root, payload.cwd),
    checkout,
    protect: await gitFolders(payload, signal),
    scratch: [folder.work],
    ...(isolation === "auto" ? {} : { kind: isolation }),
    signal,
  });
}

/** Where a linked worktree's repository is: commands must not change it either. */
async function gitFolders(payload: Payload, signal: AbortSignal): Promise<string[]> {
  if (!payload.repository) return [];
  const args = ["rev-parse", "--git-common-dir"];
  const found = await runGit(args, { cwd: payload.root, config: "user", signal });
  if (found.exitCode !== 0) return [];
  const path = resolve(payload.root, found.stdout.toString("utf8").replace(/\n$/, ""));
  return path.startsWith(`${payload.root}/`) ? [] : [path];
}

async function emptyFolders({ dir, payload }: StateFolder): Promise<void> {
  await removeTree(join(dir, "checkout"));
  await rm(payload, { recursive: true, force: true });
  await mkdir(payload, { recursive: true, mode: 0o700 });
}

/** The next campaign starts with what took long in this one. */
async function keepDurations(records: Records, results: readonly VariantResult[]): Promise<void> {
  const measured = results.filter(({ status }) => status !== "error" && status !== "skipped");
  if (measured.length === 0) return;
  const durations = Object.fromEntries(measured.map(({ id, durationMs }) => [id, durationMs]));
  await records.write("campaigns", "durations", durations);
}

/** Forgets the logs and rows of all but the last campaigns. */
async function pruneLogs(records: Records, { logs }: StateFolder): Promise<void> {
  const numbered = (await readdir(logs)).map((name) => ({ name, at: Number(name.split("-")[1]) }));
  numbered.sort((a, b) => b.at - a.at);
  for (const { name } of numbered.slice(KEPT_CAMPAIGNS)) {
    await rm(join(logs, name), { recursive: true, force: true });
    for (const collection of Object.values(collections)) await records.drop(collection(name));
  }
}

/** Copies the whole logs to where they were asked for, and points there. */
async function withLogs(
  result: CampaignReport,
  { output }: CampaignRequest,
  logs: string,
): Promise<CampaignReport> {
  if (output === null) return result;
  const target = join(resolve(output), "logs");
  await rm(target, { recursive: true, force: true });
  await cp(logs, target, { recursive: true });
  const moved = (path: string) => join(target, relative(logs, path));
  return {
    ...result,
    results: result.results.map((each) =>
      each.logs === undefined ? each : {
        ...each,
        logs: { stdout: moved(each.logs.stdout), stderr: moved(each.logs.stderr) },
      }
    ),
  };
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

function report0(request: CampaignRequest, progress: Parameters<CampaignRequest["onProgress"]>[0]) {
  request.onProgress(progress);
}

function describe(error: unknown): string {
  return error instanceof Error ? error.message : JSON.stringify(error) ?? String(error);
}
