import * as assert from "uvu/assert";
import { Buffer } from "node:buffer";
import type { Verdict } from "../../machines/variant-run/verdict.ts";
import {
  campaignReport,
  type KnownVerdict,
  type ReportInput,
} from "../../runtime/variants/campaign-report.ts";
import type { Planned } from "../../runtime/variants/preflight.ts";
import { suite } from "../harness.ts";

const test = suite("campaign-report");

function planned(id: string): Planned {
  return {
    kind: "run",
    variant: { id, description: "" },
    tree: "t",
    changed: [],
    location: { file: "f", line: 1, endLine: 1 },
    patch: Buffer.alloc(0),
    repairs: [],
  } as unknown as Planned;
}

function known(
  status: Verdict["status"],
  more: { readonly signature?: string; readonly tests?: "some" | "unknown" } = {},
): KnownVerdict {
  const { signature = "s", tests = "some" } = more;
  const command = status === "killed" || status === "timeout" ? "test" : null;
  const reason = status === "error" ? "sidecar-lost" : null;
  return {
    verdict: {
      status,
      reason,
      command,
      exitCode: status === "killed" ? 1 : 0,
      durationMs: 10,
      sidecar: "c-1#0",
      attempts: 1,
      losses: 0,
    },
    output: {
      attempt: 1,
      command,
      phase: null,
      message: null,
      stdout: "out",
      stderr: "err",
      tests,
      signature,
      logs: null,
    },
  };
}

function input(verdicts: readonly KnownVerdict[], more: Partial<ReportInput> = {}): ReportInput {
  const named = verdicts.map((verdict, at) => [`v${at}`, verdict] as const);
  return {
    version: "1.0.0",
    campaign: "c-1",
    end: "complete",
    reason: null,
    planned: named.map(([id]) => planned(id)),
    verdicts: new Map(named),
    unrun: "not-run",
    baseline: { skipped: false, commands: [], tests: "some" },
    isBaselineSkipped: false,
    metrics: {
      phases: { preflightMs: 1, baselineMs: 1, runningMs: 100, closingMs: 1 },
      commandMs: 150,
      verdicts: verdicts.length,
    },
    workers: 2,
    isolation: "overlay",
    kind: "overlay",
    sidecars: { created: 2, destroyed: 2, left: [] },
    warnings: [],
    resumed: 0,
    ...more,
  };
}

test("campaignReport() counts, scores and times", () => {
  const report = campaignReport(
    input([known("killed"), known("killed"), known("survived"), known("timeout")]),
  );
  assert.equal(report.counts, {
    total: 4,
    killed: 2,
    survived: 1,
    timeout: 1,
    error: 0,
    skipped: 0,
  });
  assert.is(report.score, 0.75);
  assert.is(report.strictScore, 0.5);
  assert.is(report.efficiency, 0.75);
  assert.is(report.overheadMs, 12.5);
  assert.is(report.complete, true);
  assert.is(report.results[0]?.sidecar, "overlay-0");
});

test("campaignReport() is not complete, and scores nothing, where nothing was measured", () => {
  const report = campaignReport(input([known("error")], { verdicts: new Map() }));
  assert.is(report.complete, false);
  assert.is(report.score, null);
  assert.is(report.results[0]?.reason, "not-run");
  assert.is(campaignReport(input([known("killed")], { end: "void" })).complete, false);
});

test("campaignReport() scores a cancelled campaign, and neither a void one nor a red baseline", () => {
  const verdicts = [known("killed"), known("timeout")];
  for (const end of ["void", "baseline-failed"] as const) {
    const { score, strictScore, measured } = campaignReport(input(verdicts, { end }));
    assert.equal([score, strictScore, measured], [null, null, 2]);
  }
  const { score, strictScore, complete } = campaignReport(input(verdicts, { end: "cancelled" }));
  assert.equal([score, strictScore, complete], [1, 0.5, false]);
});

test("an error that never came to commands shows no output of an earlier attempt", () => {
  const [result] = campaignReport(input([known("error")])).results;
  assert.is(result?.stdout, "");
  assert.match(result?.error ?? "", "was lost");
});

test("campaignReport() warns of kills, timeouts, errors and survivors that look wrong", () => {
  const warned = (verdicts: readonly KnownVerdict[]) =>
    campaignReport(input(verdicts)).warnings.join("\n");
  const five = (status: Verdict["status"], more = {}) =>
    Array.from({ length: 5 }, () => known(status, more));
  assert.match(warned(five("killed")), "All 5 variants were killed");
  assert.is(warned([...five("killed"), known("killed", { signature: "other" })]), "");
  assert.match(warned([...five("timeout"), known("killed")]), "first 5 variants all timed out");
  assert.match(warned([known("killed"), known("error")]), "1 of 2 variants could not be measured");
  assert.match(warned([known("survived", { tests: "unknown" })]), "tells of no test");
  assert.is(warned([known("survived"), known("killed")]), "");
});
