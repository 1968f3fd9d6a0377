import type { Plan, PlannedVariant } from "../commands/plan-variants.ts";
import { count, duration } from "./figures.ts";
import type { Palette } from "./palette.ts";
import { sanitiseLine } from "./sanitise.ts";

/** What a campaign would do, for people. Ends with a line feed. */
export function planText(plan: Plan, palette: Palette): string {
  const { variants, builds, commands, timeoutMs, workers, source, folder, files } = plan;
  const of = (kind: PlannedVariant["plan"]): readonly PlannedVariant[] =>
    variants.filter((each) => each.plan === kind);
  const lines = [
    ...variants.map((each) => planLine(each, palette)),
    ...(variants.length === 0 ? [] : [""]),
    palette.bold(count(variants.length, "variant")) +
    `: ${of("run").length} to run, ${of("duplicate").length} the same as another, ` +
    `${of("error").length} that cannot be run`,
    `in ${sanitiseLine(folder)}, ${count(files, "file")}, ${count(workers, "worker")}`,
    `commands of ${sanitiseLine(source)}:`,
    ...builds.map((each) => `  build ${sanitiseLine(each.name)}: ${sanitiseLine(each.run)}`),
    ...commands.map((each) => `  test  ${sanitiseLine(each.name)}: ${sanitiseLine(each.run)}`),
    timeoutMs === null
      ? "timeout: known once the baseline has run"
      : `timeout: ${duration(timeoutMs)}`,
    ...plan.warnings.map((each) => `${palette.yellow("warning")} ${sanitiseLine(each)}`),
  ];
  return `${lines.join("\n")}\n`;
}

function planLine(each: PlannedVariant, palette: Palette): string {
  const { id, description, plan, location, duplicateOf, reason, error } = each;
  const where = location === undefined ? "" : `${sanitiseLine(location.file)}:${location.line} `;
  const what = description === "" ? "" : `: ${sanitiseLine(description)}`;
  const more = plan === "error"
    ? ` (${[reason, error].filter((part) => part !== undefined).map(sanitiseLine).join(": ")})`
    : duplicateOf === undefined
    ? ""
    : ` (same as ${sanitiseLine(duplicateOf)})`;
  const sign = plan === "error" ? palette.yellow("ERROR") : plan === "run" ? "RUN" : "SAME";
  return `${sign} ${where}${palette.bold(sanitiseLine(id))}${what}${palette.dim(more)}`;
}
