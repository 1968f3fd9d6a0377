import { isSidecanaryError } from "../errors.ts";
import { sanitise } from "./views/sanitise.ts";

/** What kept a command from its answer, in one line; with the stack and the causes if `verbose`. */
export function errorText(error: unknown, verbose: boolean): string {
  const expected = isSidecanaryError(error) && error.code !== "internal";
  const message = error instanceof Error ? error.message : String(error);
  const line = expected
    ? `sidecanary: ${sanitise(message)}\n`
    : `sidecanary: internal error: ${sanitise(message)}. This is a defect of sidecanary` +
      `${verbose ? "" : ": run again with --verbose for the stack"}\n`;
  return verbose ? line + stacks(error) : line;
}

function stacks(error: unknown): string {
  if (!(error instanceof Error)) return "";
  const own = `${sanitise(error.stack ?? error.message)}\n`;
  return error.cause === undefined ? own : `${own}caused by ${stacks(error.cause)}`;
}
