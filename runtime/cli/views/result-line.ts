import type { VariantResult } from "../../variants/report.ts";
import { duration } from "./figures.ts";
import type { Palette } from "./palette.ts";
import { sanitiseLine } from "./sanitise.ts";

const LONGEST_ERROR = 240;

/**
 * A variant's verdict in a line: what it is, where, which variant, and what decided.
 *
 * `SURVIVED src/price.js:14 discount-off: the discount is never applied`
 */
export function resultLine(result: VariantResult, palette: Palette): string {
  const { id, description, status, location } = result;
  const where = location === undefined ? "" : `${sanitiseLine(location.file)}:${location.line} `;
  const what = description === "" ? "" : `: ${sanitiseLine(description)}`;
  const more = detail(result);
  return `${label(status, palette)} ${where}${palette.bold(sanitiseLine(id))}${what}` +
    (more === "" ? "" : palette.dim(` (${more})`));
}

function label(status: VariantResult["status"], palette: Palette): string {
  const text = status.toUpperCase();
  switch (status) {
    case "survived":
      return palette.red(text);
    case "timeout":
    case "error":
      return palette.yellow(text);
    case "killed":
    case "skipped":
      return palette.dim(text);
  }
}

function detail(result: VariantResult): string {
  const { status, reason, error, command, exit_code, durationMs, duplicateOf } = result;
  const same = duplicateOf === undefined ? "" : `same as ${sanitiseLine(duplicateOf)}`;
  const own = status === "killed"
    ? `${sanitiseLine(command ?? "a command")} ended with ${exit_code} in ${duration(durationMs)}`
    : status === "survived"
    ? ""
    : [reason, error].filter((part) => part !== undefined).map(sanitiseLine).join(": ");
  const cut = own.length > LONGEST_ERROR ? `${own.slice(0, LONGEST_ERROR - 1)}…` : own;
  return [cut, same].filter((part) => part !== "").join(", ");
}
