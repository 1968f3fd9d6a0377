import type { Verdict } from "../../machines/variant-run/verdict.ts";
import type { SidecarTally } from "../sidecars/provider.ts";
import type { BaselineRow } from "./baseline.ts";
import type { UnmeasuredReason } from "./judge.ts";
import type { Metrics } from "./session.ts";
import type { Planned } from "./preflight.ts";
import type { CampaignReport, ReportCounts, VariantResult } from "./report.ts";
import { reportWarnings } from "./report-warnings.ts";
import type { OutputRow } from "./variant-run-ports.ts";

/** What is known of a variant that was to run. */
export interface KnownVerdict {
  readonly verdict: Verdict;
  /** What the commands said, where they ran. */
  readonly output: OutputRow | null;
}

/** Everything that a report is made of: rows, and what this process measured. */
export interface ReportInput {
  readonly version: string;
  readonly campaign: string;
  readonly end: CampaignReport["end"];
  readonly reason: string | null;
  readonly planned: readonly Planned[];
  /** By the id of the variant that ran. */
  readonly verdicts: ReadonlyMap<string, KnownVerdict>;
  /** Why variants without a verdict have none. */
  readonly unrun: UnmeasuredReason;
  readonly baseline: BaselineRow | null;
  readonly isBaselineSkipped: boolean;
  readonly metrics: Metrics;
  readonly workers: number;
  readonly isolation: string;
  /** The kind of the sidecars, part of their names. */
  readonly kind: string;
  readonly sidecars: SidecarTally;
  readonly warnings: readonly string[];
  readonly resumed: number;
}

/** The report of a campaign: a function of what is stored. */
export function campaignReport(input: ReportInput): CampaignReport {
  const { metrics, workers, end, baseline } = input;
  const results = input.planned.map((planned) =>
    resultOf(planned, input.verdicts.get(runsAs(planned)), input.kind, input.unrun)
  );
  const counts = countsOf(results);
  const measured = counts.killed + counts.survived + counts.timeout;
  // What cannot be trusted, or was never begun, has no score; what was cut short has one of its part.
  const isScored = measured > 0 && end !== "void" && end !== "baseline-failed";
  const available = workers * metrics.phases.runningMs;
  const isTimed = available > 0 && metrics.verdicts > 0;
  return {
    schemaVersion: "1",
    tool: { name: "sidecanary", version: input.version },
    campaign: input.campaign,
    complete: end === "complete" && measured === counts.total,
    end,
    reason: input.reason,
    measured,
    counts,
    score: isScored ? (counts.killed + counts.timeout) / measured : null,
    strictScore: isScored ? counts.killed / measured : null,
    efficiency: isTimed ? Math.min(1, metrics.commandMs / available) : null,
    overheadMs: isTimed ? Math.max(0, (available - metrics.commandMs) / metrics.verdicts) : null,
    timings: roundAll(metrics.phases),
    workers,
    isolation: input.isolation,
    sidecars: input.sidecars,
    baseline: baselineOf(baseline, input.isBaselineSkipped),
    warnings: [...input.warnings, ...reportWarnings(results, input.verdicts, baseline)],
    resumed: input.resumed,
    results,
  };
}

/** The result of one variant. */
export function resultOf(
  planned: Planned,
  known: KnownVerdict | undefined,
  kind: string,
  unrun: UnmeasuredReason = "not-run",
): VariantResult {
  const { id, description, category, tags } = planned.variant;
  const shared = {
    id,
    description,
    ...(category === undefined ? {} : { category }),
    ...(tags === undefined ? {} : { tags }),
  };
  const nothing = {
    killed: false,
    exit_code: null,
    stdout: "",
    stderr: "",
    durationMs: 0,
    sidecar: null,
    attempts: 0,
  };
  if (planned.kind === "error") {
    const { reason, message } = planned;
    return { ...shared, ...nothing, status: "error", reason, error: message };
  }
  const { file, line } = planned.location;
  const where = {
    ...shared,
    ...(planned.kind === "duplicate" ? { duplicateOf: planned.of } : {}),
    location: { file, line },
  };
  if (known === undefined) {
    return { ...where, ...nothing, status: "skipped", reason: unrun };
  }
  const { verdict } = known;
  const output = outputFor(known);
  const reason = verdict.reason ?? (planned.kind === "duplicate" ? "duplicate" : null);
  const error = errorOf(verdict, output);
  return {
    ...where,
    status: verdict.status,
    ...(reason === null ? {} : { reason }),
    killed: verdict.status === "killed",
    ...(verdict.command === null ? {} : { command: verdict.command }),
    exit_code: verdict.exitCode,
    stdout: output?.stdout ?? "",
    stderr: output?.stderr ?? "",
    ...(error === null ? {} : { error }),
    durationMs: round(verdict.durationMs),
    sidecar: verdict.sidecar === null ? null : sidecarName(kind, verdict.sidecar),
    attempts: verdict.attempts,
    ...(output?.logs ? { logs: output.logs } : {}),
  };
}

/** A sidecar for people: "overlay-0". */
export function sidecarName(kind: string, sidecar: string): string {
  return `${kind}-${sidecar.slice(sidecar.lastIndexOf("#") + 1)}`;
}

/** The output that belongs to the verdict: an attempt before it may have left another one. */
function outputFor({ verdict, output }: KnownVerdict): OutputRow | null {
  if (output === null || verdict.status === "skipped") return null;
  if (verdict.status === "error" && verdict.command === null) return null;
  return output.command === verdict.command ? output : null;
}

function errorOf({ status, reason }: Verdict, output: OutputRow | null): string | null {
  if (status !== "error" && status !== "timeout") return null;
  return output?.message ?? (reason === null ? null : SENTENCES[reason] ?? reason);
}

const SENTENCES: Readonly<Record<string, string>> = {
  "sidecar-lost": "Every sidecar that it was given was lost.",
  "environment-broken": "Where it had run the baseline failed, and it could not be run elsewhere.",
  "unexpected": "A defect of sidecanary kept it from being run.",
};

function runsAs(planned: Planned): string {
  return planned.kind === "duplicate" ? planned.of : planned.variant.id;
}

function countsOf(results: readonly VariantResult[]): ReportCounts {
  const counts = {
    total: results.length,
    killed: 0,
    survived: 0,
    timeout: 0,
    error: 0,
    skipped: 0,
  };
  for (const { status } of results) counts[status]++;
  return counts;
}

function baselineOf(row: BaselineRow | null, skipped: boolean): CampaignReport["baseline"] {
  if (row === null) return { skipped, commands: [] };
  const commands = row.commands.map(({ name, durationMs, timeoutMs }) => ({
    name,
    durationMs: row.skipped ? 0 : round(durationMs),
    timeoutMs,
  }));
  if (row.failure === undefined) return { skipped: row.skipped, commands };
  const { command, exit_code, stdout, stderr } = row.failure;
  return { skipped: row.skipped, commands, failure: { command, exit_code, stdout, stderr } };
}

function roundAll(phases: Metrics["phases"]): CampaignReport["timings"] {
  const { preflightMs, baselineMs, runningMs, closingMs } = phases;
  return {
    preflightMs: round(preflightMs),
    baselineMs: round(baselineMs),
    runningMs: round(runningMs),
    closingMs: round(closingMs),
  };
}

function round(ms: number): number {
  return Math.round(ms * 10) / 10;
}
