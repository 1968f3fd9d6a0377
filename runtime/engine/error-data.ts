import type { ErrorData } from "./actor-state.ts";

/** An error as plain data. Anything that was thrown and is no Error is named by its type. */
export function errorData(error: unknown): ErrorData {
  if (!(error instanceof Error)) return { name: typeof error, message: describe(error) };
  const { name, message, stack } = error;
  return { name, message, ...(stack === undefined ? {} : { stack }) };
}

function describe(value: unknown): string {
  try {
    return typeof value === "string" ? value : JSON.stringify(value) ?? String(value);
  } catch {
    // A cyclic object or one whose toJSON throws still has a name.
    return Object.prototype.toString.call(value);
  }
}
