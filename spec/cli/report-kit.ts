import type { CampaignReport, VariantResult } from "../../runtime/variants/report.ts";

/** A result with what differs from a survivor. */
export function result(id: string, differs: Partial<VariantResult> = {}): VariantResult {
  return {
    id,
    description: `what ${id} does`,
    status: "survived",
    killed: differs.status === "killed",
    exit_code: 0,
    stdout: "",
    stderr: "",
    durationMs: 1_234,
    sidecar: "local-1",
    attempts: 1,
    ...differs,
  };
}

/** A report of these results, with what differs from a run that came to its end. */
export function report(
  results: readonly VariantResult[],
  differs: Partial<CampaignReport> = {},
): CampaignReport {
  const of = (status: VariantResult["status"]): number =>
    results.filter((each) => each.status === status).length;
  const counts = {
    total: results.length,
    killed: of("killed"),
    survived: of("survived"),
    timeout: of("timeout"),
    error: of("error"),
    skipped: of("skipped"),
  };
  const measured = counts.killed + counts.survived + counts.timeout;
  return {
    schemaVersion: "1",
    tool: { name: "sidecanary", version: "0.1.0" },
    campaign: "c1",
    complete: counts.error + counts.skipped === 0,
    end: "complete",
    reason: null,
    measured,
    counts,
    score: measured === 0 ? null : (counts.killed + counts.timeout) / measured,
    strictScore: measured === 0 ? null : counts.killed / measured,
    efficiency: 0.934,
    overheadMs: 42,
    timings: { preflightMs: 100, baselineMs: 1_000, runningMs: 65_000, closingMs: 50 },
    workers: 2,
    isolation: "overlay as root",
    sidecars: { created: 2, destroyed: 2, left: [] },
    baseline: { skipped: false, commands: [{ name: "test", durationMs: 900, timeoutMs: 20_000 }] },
    warnings: [],
    resumed: 0,
    results,
    ...differs,
  };
}
