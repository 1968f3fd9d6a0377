import * as v from "valibot";
import type { CampaignReport } from "./report.ts";

const count = v.pipe(v.number(), v.integer(), v.minValue(0));
const ms = v.pipe(v.number(), v.minValue(0));
const ratio = v.nullable(v.pipe(v.number(), v.minValue(0), v.maxValue(1)));
const text = v.string();

function described<Schema extends v.GenericSchema>(schema: Schema, what: string) {
  return v.pipe(schema, v.description(what));
}

const result = v.object({
  id: described(text, "The variant's id"),
  description: text,
  status: v.picklist(["killed", "survived", "timeout", "error", "skipped"]),
  reason: v.optional(
    described(text, "Why nothing was measured; `duplicate` where another variant's run was"),
  ),
  duplicateOf: v.optional(
    described(text, "The variant whose identical tree was run in place of this one's"),
  ),
  killed: described(v.boolean(), "Whether a command failed by itself"),
  command: v.optional(described(text, "The name of the command that decided")),
  exit_code: described(
    v.nullable(v.pipe(v.number(), v.integer())),
    "Of the command that decided, of the last one for a survivor",
  ),
  stdout: described(text, "The end of the deciding command's output"),
  stderr: text,
  error: v.optional(described(text, "What went wrong, in a sentence")),
  durationMs: described(ms, "How long the commands ran"),
  sidecar: described(v.nullable(text), "The worker that it ran on"),
  attempts: described(count, "How often the commands were started"),
  location: v.optional(v.object({ file: text, line: v.pipe(v.number(), v.integer()) })),
  category: v.optional(text),
  tags: v.optional(v.array(text)),
  logs: v.optional(
    described(v.object({ stdout: text, stderr: text }), "The files that hold the whole output"),
  ),
});

/** The shape of a {@link CampaignReport}. */
export const reportSchema = v.object({
  schemaVersion: v.literal("1"),
  tool: v.object({ name: v.literal("sidecanary"), version: text }),
  campaign: described(text, "Names this run among those of its working tree"),
  complete: described(
    v.boolean(),
    "Whether every variant has a verdict that measured something, and the controls held",
  ),
  end: v.picklist(["complete", "baseline-failed", "void", "cancelled", "failed"]),
  reason: described(v.nullable(text), "Why it did not end as complete"),
  measured: described(count, "How many variants were killed, survived or timed out"),
  counts: v.object({
    total: count,
    killed: count,
    survived: count,
    timeout: count,
    error: count,
    skipped: count,
  }),
  score: described(
    ratio,
    "(killed + timeout) / measured; null with nothing measured, and for a void run",
  ),
  strictScore: described(ratio, "killed / measured; null where `score` is"),
  efficiency: described(ratio, "Sum of command time / (workers × time of the running phase)"),
  overheadMs: described(v.nullable(ms), "What a variant cost beside its commands"),
  timings: described(
    v.object({ preflightMs: ms, baselineMs: ms, runningMs: ms, closingMs: ms }),
    "Wall time by phase, in ms",
  ),
  workers: count,
  isolation: text,
  sidecars: described(
    v.object({ created: count, destroyed: count, left: v.array(text) }),
    "What this process made; `left` names those that may still exist",
  ),
  baseline: v.object({
    skipped: v.boolean(),
    commands: v.array(v.object({ name: text, durationMs: ms, timeoutMs: ms })),
    failure: v.optional(v.object({
      command: text,
      exit_code: v.nullable(v.pipe(v.number(), v.integer())),
      stdout: text,
      stderr: text,
    })),
  }),
  warnings: v.array(text),
  resumed: described(count, "How many verdicts an earlier, unfinished run had left"),
  results: described(v.array(result), "In the order of the input"),
});

/** Reads a report that was written as JSON. */
export function parseReport(json: unknown): CampaignReport {
  const report: v.InferOutput<typeof reportSchema> = v.parse(reportSchema, json);
  return report as CampaignReport;
}
