import * as assert from "uvu/assert";
import {
  exitCodeOf,
  exitCodeOfError,
  exitCodeOfSignal,
  type ExitOptions,
} from "../../runtime/cli/exit-code.ts";
import { SidecanaryError } from "../../runtime/errors.ts";
import type { CampaignReport, VariantResult } from "../../runtime/variants/report.ts";
import { suite } from "../harness.ts";
import { report, result } from "./report-kit.ts";

const test = suite("exit-code");

const OPTIONS: ExitOptions = { exitZero: false, baselineOnly: false };

type Status = VariantResult["status"];

const TABLE: readonly (readonly [
  number,
  readonly Status[],
  Partial<CampaignReport>,
  zero: number,
])[] = [
  [0, [], {}, 0],
  [0, ["killed"], {}, 0],
  [2, ["killed", "survived"], {}, 0],
  [2, ["survived", "timeout"], {}, 0],
  [3, ["killed", "timeout"], {}, 0],
  [7, ["killed", "error"], {}, 0],
  [7, ["survived", "timeout", "error"], {}, 0],
  [7, ["killed", "skipped"], {}, 0],
  [2, ["survived", "skipped"], {}, 0],
  [7, ["survived", "skipped"], { end: "cancelled", reason: "SIGINT" }, 0],
  [7, ["killed"], { end: "failed", reason: "sidecar-failed" }, 0],
  [70, ["killed"], { end: "failed", reason: "internal" }, 70],
  [4, ["skipped"], { end: "baseline-failed", reason: "baseline-failed" }, 4],
  [4, ["killed", "survived", "error"], { end: "void", reason: "canary" }, 4],
];

for (const [code, statuses, differs, zero] of TABLE) {
  const what = [differs.end ?? "complete", ...statuses].join(" ");
  test(`exitCodeOf() is ${code} for ${what}, ${zero} with --exit-zero`, () => {
    const made = report(statuses.map((status, at) => result(`v${at}`, { status })), differs);
    assert.is(exitCodeOf(made, OPTIONS), code);
    assert.is(exitCodeOf(made, { ...OPTIONS, exitZero: true }), zero);
  });
}

test("exitCodeOf() is 0 where only the baseline was asked for, and passed", () => {
  const made = report([result("a", { status: "skipped", reason: "not-run" })]);
  assert.is(exitCodeOf(made, { ...OPTIONS, baselineOnly: true }), 0);
});

test("exitCodeOfError() is 1 for what people can put right and 70 for a defect", () => {
  assert.is(exitCodeOfError(new SidecanaryError("usage", "x", {})), 1);
  assert.is(exitCodeOfError(new SidecanaryError("input-invalid", "x", { source: "-" })), 1);
  assert.is(exitCodeOfError(new SidecanaryError("config-invalid", "x", { path: "-" })), 1);
  assert.is(exitCodeOfError(new SidecanaryError("run-void", "x", { reason: "-" })), 4);
  assert.is(exitCodeOfError(new SidecanaryError("internal", "x", { where: "-" })), 70);
  assert.is(exitCodeOfError(new TypeError("x")), 70);
  assert.is(exitCodeOfError("x"), 70);
});

test("exitCodeOfSignal() is what a shell shows", () => {
  assert.equal(["SIGHUP", "SIGINT", "SIGTERM"].map(exitCodeOfSignal), [129, 130, 143]);
});
