import type { CampaignReport } from "../variants/report.ts";

/** The report of a campaign without variants: nothing was wrong, and nothing was measured. */
export function emptyReport(version: string): CampaignReport {
  return {
    schemaVersion: "1",
    tool: { name: "sidecanary", version },
    campaign: "",
    complete: true,
    end: "complete",
    reason: null,
    measured: 0,
    counts: { total: 0, killed: 0, survived: 0, timeout: 0, error: 0, skipped: 0 },
    score: null,
    strictScore: null,
    efficiency: null,
    overheadMs: null,
    timings: { preflightMs: 0, baselineMs: 0, runningMs: 0, closingMs: 0 },
    workers: 0,
    isolation: "none",
    sidecars: { created: 0, destroyed: 0, left: [] },
    baseline: { skipped: true, commands: [] },
    warnings: [],
    resumed: 0,
    results: [],
  };
}
