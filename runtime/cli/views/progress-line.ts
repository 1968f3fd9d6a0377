import type { Progress } from "../../variants/campaign-request.ts";
import { count, duration } from "./figures.ts";
import type { Palette } from "./palette.ts";
import { resultLine } from "./result-line.ts";
import { sanitiseLine } from "./sanitise.ts";

/** Which lines are written. */
export type Loudness = "normal" | "verbose";

/**
 * The line that a piece of progress is worth, or `undefined`: only what asks for something is said,
 * a kill and a step on the way only when `verbose`.
 */
export function progressLine(
  progress: Progress,
  palette: Palette,
  loudness: Loudness,
): string | undefined {
  const verbose = loudness === "verbose";
  switch (progress.type) {
    case "phase":
      return verbose ? palette.dim(`phase: ${progress.phase}`) : undefined;
    case "campaign":
      return campaignLine(progress, verbose);
    case "isolation":
      return `${count(progress.workers, "worker")}, ${sanitiseLine(progress.description)}`;
    case "sync":
      return undefined;
    case "baseline":
      return `Baseline: ${sanitiseLine(progress.name)} passes in ${duration(progress.durationMs)}`;
    case "state": {
      const { variant, worker, state, command } = progress;
      const where = worker === null ? "" : ` on ${sanitiseLine(worker)}`;
      const what = command === undefined ? "" : `: ${sanitiseLine(command)}`;
      return verbose ? palette.dim(`${state} ${sanitiseLine(variant)}${where}${what}`) : undefined;
    }
    case "verdict": {
      const { status } = progress.result;
      const quiet = status === "killed" || status === "skipped";
      return quiet && !verbose ? undefined : resultLine(progress.result, palette);
    }
    case "revoked": {
      const { variant, reason } = progress;
      return `${palette.yellow("TAKEN BACK")} ${sanitiseLine(variant)}: ${sanitiseLine(reason)}`;
    }
    case "retry": {
      const { what, message } = progress;
      return `${palette.yellow("retry")} ${sanitiseLine(what)}: ${sanitiseLine(message)}`;
    }
    case "warning":
      return `${palette.yellow("warning")} ${sanitiseLine(progress.message)}`;
  }
}

function campaignLine(
  { campaign, total, resumed, changed }: Extract<Progress, { type: "campaign" }>,
  verbose: boolean,
): string | undefined {
  if (resumed > 0) {
    return `Going on with an unfinished run: ${resumed} of ${count(total, "variant")} ` +
      "have a verdict (--fresh begins anew)";
  }
  if (changed.length > 0) {
    return `Beginning anew: ${
      changed.map(sanitiseLine).join(", ")
    } changed since the unfinished run`;
  }
  return verbose ? `campaign ${sanitiseLine(campaign)}: ${count(total, "variant")}` : undefined;
}
