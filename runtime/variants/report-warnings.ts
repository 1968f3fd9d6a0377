import type { BaselineRow } from "./baseline.ts";
import type { KnownVerdict } from "./campaign-report.ts";
import type { VariantResult } from "./report.ts";

/** From how many verdicts on a pattern among them means something. */
const ENOUGH = 5;
/** The part of errors from which on people are told. */
const ERROR_RATE = 0.1;

/** What the results as a whole make doubtful, in sentences. */
export function reportWarnings(
  results: readonly VariantResult[],
  verdicts: ReadonlyMap<string, KnownVerdict>,
  baseline: BaselineRow | null,
): string[] {
  const warnings: string[] = [];
  const ran = results.filter(({ duplicateOf }) => duplicateOf === undefined);
  const measured = ran.filter(({ status }) => status !== "error" && status !== "skipped");
  const kills = measured.filter(({ killed }) => killed);
  const signatures = new Set(kills.map(({ id }) => verdicts.get(id)?.output?.signature));
  if (kills.length >= ENOUGH && kills.length === measured.length && signatures.size === 1) {
    warnings.push(
      `All ${kills.length} variants were killed by "${
        kills[0]?.command
      }" with the same exit code ` +
        "and output: does it fail for a reason of its own?",
    );
  }
  if (measured.length >= ENOUGH && measured.slice(0, ENOUGH).every(isTimeout)) {
    warnings.push(`The first ${ENOUGH} variants all timed out: is the timeout too short?`);
  }
  const errors = results.filter(({ status }) => status === "error").length;
  if (errors > results.length * ERROR_RATE) {
    warnings.push(`${errors} of ${results.length} variants could not be measured.`);
  }
  if (baseline?.tests === "some") {
    const untested = measured.filter(({ id, status }) =>
      status === "survived" && verdicts.get(id)?.output?.tests !== "some"
    );
    if (untested.length > 0) {
      warnings.push(
        `${untested.length} survivors' output tells of no test, unlike the baseline's: ` +
          untested.slice(0, 3).map(({ id }) => id).join(", "),
      );
    }
  }
  return warnings;
}

function isTimeout({ status }: VariantResult): boolean {
  return status === "timeout";
}
