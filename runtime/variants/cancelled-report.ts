import { isSidecanaryError } from "../errors.ts";
import type { CampaignRequest } from "./campaign-request.ts";
import { campaignReport } from "./campaign-report.ts";
import type { CampaignReport } from "./report.ts";

/** The report of a run that was cancelled before there was a campaign: nothing is known. */
export function cancelledReport(
  request: CampaignRequest,
  warnings: readonly string[],
): CampaignReport {
  const report = campaignReport({
    version: request.version,
    campaign: "",
    end: "cancelled",
    reason: "cancelled",
    planned: [],
    verdicts: new Map(),
    unrun: "cancelled",
    baseline: null,
    isBaselineSkipped: request.baseline === "skip",
    metrics: {
      phases: { preflightMs: 0, baselineMs: 0, runningMs: 0, closingMs: 0 },
      commandMs: 0,
      verdicts: 0,
    },
    workers: request.workers,
    isolation: "none",
    kind: "none",
    sidecars: { created: 0, destroyed: 0, left: [] },
    warnings,
    resumed: 0,
  });
  const total = request.variants.length;
  return {
    ...report,
    counts: { ...report.counts, total, skipped: total },
    results: request.variants.map(({ id, description, category, tags }) => ({
      id,
      description,
      ...(category === undefined ? {} : { category }),
      ...(tags === undefined ? {} : { tags }),
      status: "skipped",
      reason: "cancelled",
      killed: false,
      exit_code: null,
      stdout: "",
      stderr: "",
      durationMs: 0,
      sidecar: null,
      attempts: 0,
    })),
  };
}

/** Whether the cancelling itself is what failed. A Ctrl-C reaches git and what else is started, too. */
export function isCancellation(error: unknown, signal: AbortSignal): boolean {
  if (!signal.aborted) return false;
  if (error === signal.reason || (error as Error | null)?.name === "AbortError") return true;
  return ENDED_BY_SIGNALS.some((code) => isSidecanaryError(error, code));
}

const ENDED_BY_SIGNALS = ["git-failed", "payload-failed", "sandbox-unavailable"] as const;
