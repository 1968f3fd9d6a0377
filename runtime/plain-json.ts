import { SidecanaryError } from "./errors.ts";

/**
 * The JSON text of plain data. What JSON would change in silence is refused: functions, symbols,
 * bigints, NaN and infinities, dates, maps, and instances of classes. A property that is `undefined`
 * is left out.
 *
 * @param where how the value is called in the message: `context of "planner"`
 * @throws {SidecanaryError} `not-json`, with the path of the value
 */
export function plainJson(value: unknown, where: string): string {
  const text = JSON.stringify(value, function (this: unknown, key: string, shown: unknown) {
    const raw = key === "" ? (this as Record<string, unknown>)[""] : own(this, key);
    const problem = refusal(raw);
    if (problem !== undefined) throw notJson(where, key, problem, value);
    return shown;
  });
  if (text === undefined) throw notJson(where, "", "undefined", value);
  return text;
}

function own(holder: unknown, key: string): unknown {
  return (holder as Record<string, unknown>)[key];
}

function refusal(raw: unknown): string | undefined {
  switch (typeof raw) {
    case "function":
    case "symbol":
    case "bigint":
      return `a ${typeof raw}`;
    case "number":
      return Number.isFinite(raw) ? undefined : String(raw);
    case "object": {
      if (raw === null || Array.isArray(raw)) return undefined;
      const prototype: unknown = Object.getPrototypeOf(raw);
      if (prototype === null || prototype === Object.prototype) return undefined;
      const name = (prototype as { constructor?: { name?: string } }).constructor?.name;
      // An object of another realm has an `Object` of its own.
      return name === "Object" ? undefined : `an instance of ${name ?? "a class"}`;
    }
    default:
      return undefined;
  }
}

function notJson(where: string, key: string, problem: string, value: unknown): SidecanaryError {
  const path = key === "" ? where : `"${key}" in ${where}`;
  return new SidecanaryError(
    "not-json",
    `Cannot keep ${path}: it is ${problem}, and only plain JSON data survives a restart`,
    { path },
    value instanceof Error ? value : undefined,
  );
}
