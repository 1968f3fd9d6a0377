import type { CampaignReport, VariantResult } from "../../variants/report.ts";
import type { ChosenCommands } from "../config/choose-commands.ts";
import { count, duration, percent } from "./figures.ts";
import type { Palette } from "./palette.ts";
import { resultLine } from "./result-line.ts";
import { sanitise, sanitiseLine } from "./sanitise.ts";

/** What a summary tells beside the report. */
export interface SummaryFacts {
  /** `null` where nothing had to be run. */
  readonly commands: ChosenCommands | null;
  readonly retries: number;
  /** Where report and logs are, or `null`. */
  readonly output: string | null;
}

/** The report for people: what asks for something first, then every figure. Ends with a line feed. */
export function summary(report: CampaignReport, facts: SummaryFacts, palette: Palette): string {
  const lines = [
    ...findings(report.results, palette),
    ...baselineFailure(report, palette),
    ...voidRun(report, palette),
    ...figures(report, facts, palette),
  ];
  return `${lines.join("\n")}\n`;
}

/** Each variant that was not killed. */
function findings(results: readonly VariantResult[], palette: Palette): string[] {
  const order = ["survived", "timeout", "error"] as const;
  const lines = order.flatMap((status) =>
    results.filter((result) => result.status === status)
      .map((result) => resultLine(result, palette))
  );
  return lines.length === 0 ? [] : [...lines, ""];
}

function baselineFailure({ baseline }: CampaignReport, palette: Palette): string[] {
  if (baseline.failure === undefined) return [];
  const { command, exit_code, stdout, stderr } = baseline.failure;
  const how = exit_code === null ? "did not end by itself" : `ended with ${exit_code}`;
  const output = [stdout, stderr].map((text) => sanitise(text).trimEnd())
    .filter((text) => text !== "").join("\n");
  return [
    `${palette.red("The baseline failed")}: without any patch, ${sanitiseLine(command)} ${how}.`,
    ...(output === "" ? ["It wrote nothing."] : output.split("\n").map((line) => `  ${line}`)),
    "Make the commands pass on the unchanged project first; nothing was measured.",
    "",
  ];
}

/** A control has failed: what was found means nothing. */
function voidRun({ end, reason }: CampaignReport, palette: Palette): string[] {
  if (end !== "void") return [];
  return [`${palette.red("The run is void")}: ${sanitiseLine(reason ?? "a control failed")}`, ""];
}

function figures(report: CampaignReport, facts: SummaryFacts, palette: Palette): string[] {
  const { counts, score, strictScore, efficiency, overheadMs, timings, warnings } = report;
  const { killed, survived, timeout, error, skipped } = counts;
  const seen = report.end === "void"
    ? "score: none, the run is void"
    : score === null || strictScore === null
    ? "score: none, nothing was measured"
    : `score ${percent(score)}, strict ${percent(strictScore)} (without timeouts)`;
  const cost = [
    efficiency === null ? "" : `efficiency ${percent(efficiency)}`,
    overheadMs === null ? "" : `overhead ${duration(Math.max(0, overheadMs))} a variant`,
    count(report.workers, "worker"),
    sanitiseLine(report.isolation),
  ];
  const times = [
    `preflight ${duration(timings.preflightMs)}`,
    report.baseline.skipped ? "baseline skipped" : `baseline ${duration(timings.baselineMs)}`,
    `running ${duration(timings.runningMs)}`,
    `closing ${duration(timings.closingMs)}`,
    facts.retries === 0 ? "" : count(facts.retries, "retry").replace("retrys", "retries"),
    report.resumed === 0 ? "" : `${report.resumed} from an earlier run`,
  ];
  const ended = [report.end, report.reason === null ? "" : sanitiseLine(report.reason)];
  const why = report.end === "complete"
    ? ""
    : ` (${[...new Set(ended)].filter(Boolean).join(": ")})`;
  return [
    palette.bold(`${count(counts.total, "variant")}, measured: ${report.measured}`) +
    `: ${killed} killed, ${survived} survived, ${timeout} timeout, ${error} error, ` +
    `${skipped} skipped`,
    seen,
    ...(facts.commands === null ? [] : [line(cost), line(times), commandsLine(facts.commands)]),
    ...(facts.output === null ? [] : [`report and logs: ${facts.output}`]),
    ...warnings.map((warning) => `${palette.yellow("warning")} ${sanitiseLine(warning)}`),
    `complete: ${report.complete}${why}`,
  ];
}

function line(parts: readonly string[]): string {
  return parts.filter((part) => part !== "").join(", ");
}

/** `commands of sidecanary.json: lint, test`. */
function commandsLine({ source, builds, commands }: ChosenCommands): string {
  const names = [...builds, ...commands].map(({ name }) => sanitiseLine(name)).join(", ");
  return `commands of ${source}: ${names}`;
}
