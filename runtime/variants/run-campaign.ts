import { cancelledReport, isCancellation } from "./cancelled-report.ts";
import { pruneLogs, withLogs } from "./campaign-logs.ts";
import type { CampaignRequest } from "./campaign-request.ts";
import { checkRequest } from "./check-request.ts";
import { driveCampaign } from "./drive-campaign.ts";
import { messageOf } from "./message-of.ts";
import { prepareCampaign, type ReadyCampaign } from "./prepare-campaign.ts";
import type { SidecarTally } from "../sidecars/provider.ts";
import type { CampaignReport } from "./report.ts";
import { report } from "./session.ts";
import { keepDurations, storedReport } from "./stored-report.ts";
import { isTreeChanged } from "./tree-changed.ts";

/**
 * Runs a campaign to its end: captures the working tree, tries every patch, runs the commands on the
 * unpatched payload, then on every variant, and says what is known. An unfinished campaign with the
 * same key (see `campaignKey`) goes on where it stopped. Cancelled, it says what is known until then,
 * be it nothing. What could not be removed is one of the report's warnings.
 *
 * @throws RangeError when the request makes no sense: see {@link checkRequest}
 * @throws SidecanaryError `campaign-locked`, `payload-failed`, `git-failed`, `sandbox-unavailable`,
 * `usage`, `store-…`
 */
export async function runCampaign(request: CampaignRequest): Promise<CampaignReport> {
  checkRequest(request);
  const closing: (() => Promise<void>)[] = [];
  const left: string[] = [];
  let ran: Ran;
  try {
    ran = await run(request, closing);
  } finally {
    left.push(...await closeAll(closing));
    for (const message of left) request.onProgress({ type: "warning", message });
  }
  const { report, tally } = ran;
  // Closing destroys what was on its way up when the campaign ended.
  const sidecars = tally?.() ?? report.sidecars;
  return { ...report, sidecars, warnings: [...report.warnings, ...left] };
}

interface Ran {
  readonly report: CampaignReport;
  /** Where there were sidecars at all. */
  readonly tally?: () => SidecarTally;
}

async function run(
  request: CampaignRequest,
  closing: (() => Promise<void>)[],
): Promise<Ran> {
  let ready: ReadyCampaign;
  try {
    ready = await prepareCampaign(request, closing);
  } catch (error) {
    const { signal } = request;
    if (!isCancellation(error, signal)) throw error;
    return { report: cancelledReport(request, error === signal.reason ? [] : [messageOf(error)]) };
  }
  const { session, folder, watch } = ready;
  for (const message of session.payload.warnings) report(session, { type: "warning", message });
  let result = await drive(ready);
  const aside = async (what: string, work: () => Promise<void>) => {
    try {
      await work();
    } catch (error) {
      report(session, { type: "warning", message: `${what}: ${messageOf(error)}` });
    }
  };
  await aside("Cannot tell whether the working tree changed", async () => {
    if (!(await isTreeChanged(session.payload, folder.payload))) return;
    report(session, {
      type: "warning",
      message: "The working tree changed while the campaign ran: the verdicts are those of the " +
        "tree as it was when it began",
    });
  });
  await aside("Cannot copy the logs", async () => {
    result = await withLogs(result, request, session.logs);
  });
  const tally = () => session.provider.tally();
  if (watch.isGivenUp) return { report: withWarnings(result, session.warnings), tally };
  await aside("Cannot keep how long the variants took", async () => {
    await keepDurations(session.records, result.results);
  });
  await aside("Cannot remove the logs of older campaigns", async () => {
    await pruneLogs(session.records, folder);
  });
  return { report: withWarnings(result, session.warnings), tally };
}

function withWarnings(result: CampaignReport, warnings: ReadonlySet<string>): CampaignReport {
  return { ...result, warnings: [...new Set([...result.warnings, ...warnings])] };
}

/** Where the store is given up, a cancelled campaign tells what can still be read; others reject. */
async function drive({ session, chosen, watch, failures }: ReadyCampaign): Promise<CampaignReport> {
  const { engine, request } = session;
  try {
    return await storedReport(session, await driveCampaign({ session, chosen, watch }), failures);
  } catch (error) {
    const failure = watch.explain(error);
    try {
      if (!request.signal.aborted) throw failure;
      report(session, { type: "warning", message: messageOf(failure) });
      return await storedReport(session, CANCELLED, failures).catch(() => {
        throw failure;
      });
    } finally {
      // What runs would wait for the store for ever.
      engine.kill();
    }
  }
}

const CANCELLED = { output: { end: "cancelled", reason: "cancelled" }, resumed: 0 } as const;

/** In the reverse order of opening. Answers what failed, in words. */
async function closeAll(closing: readonly (() => Promise<void>)[]): Promise<string[]> {
  const failures: string[] = [];
  for (const close of [...closing].reverse()) {
    try {
      await close();
    } catch (error) {
      failures.push(messageOf(error));
    }
  }
  return failures;
}
