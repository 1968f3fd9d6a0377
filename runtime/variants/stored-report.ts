import type { CampaignOutput } from "../../machines/campaign/events.ts";
import { runRowKey } from "./campaign-ids.ts";
import { storedBaseline } from "./campaign-ports.ts";
import { campaignReport, type KnownVerdict } from "./campaign-report.ts";
import { isToBeRepeated, knownRuns } from "./known-runs.ts";
import { messageOf } from "./message-of.ts";
import type { StopRow } from "./pool.ts";
import type { Records } from "./records.ts";
import type { CampaignReport, VariantResult } from "./report.ts";
import { collections, report, type Session } from "./session.ts";
import type { OutputRow } from "./variant-run-ports.ts";

/** How a campaign's actor ended, and what this process had found of it. */
export interface Driven {
  readonly output: Pick<CampaignOutput, "end" | "reason">;
  /** How many verdicts were there before. */
  readonly resumed: number;
}

/** Reads the rows of a campaign that has ended and makes its report of them. */
export async function storedReport(
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
    report(session, { type: "warning", message: `Unexpected: ${messageOf(failure)}` });
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
    sidecars: provider.tally(),
    warnings: [...session.warnings],
    resumed,
  });
}

function reasonOf(
  { end, reason }: Driven["output"],
  stop: StopRow | undefined,
  baseline: string | undefined,
): string | null {
  if (end === "complete") return null;
  if (end === "void") return stop?.message ?? reason;
  // A resumed campaign that finds its environment broken has failed, and can be resumed again.
  if (end === "baseline-failed" || end === "failed") {
    if (baseline !== undefined) return baseline;
  }
  return reason === "unexpected" ? "internal" : reason;
}

/** The next campaign starts with what took long in this one. */
export async function keepDurations(
  records: Records,
  results: readonly VariantResult[],
): Promise<void> {
  const measured = results.filter(({ status }) => status !== "error" && status !== "skipped");
  if (measured.length === 0) return;
  const durations = Object.fromEntries(measured.map(({ id, durationMs }) => [id, durationMs]));
  await records.write("campaigns", "durations", durations);
}

/** How many verdicts of this campaign are known, shared ones included. */
export async function knownCount(session: Session): Promise<number> {
  let count = 0;
  for (const { key, verdict } of await knownRuns(session)) {
    if (verdict === null || isToBeRepeated(verdict)) continue;
    count += 1 + (session.plan.twins.get(key.variant)?.length ?? 0);
  }
  return count;
}
