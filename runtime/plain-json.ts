import { SidecanaryError } from "./errors.ts";

/**
 * The JSON text of plain data. What JSON would change in silence is refused: functions, symbols,
 * bigints, NaN and infinities, dates, maps, instances of classes, objects with `toJSON`, and
 * `undefined` in an array. A property that is `undefined` is left out.
 *
 * @param where how the value is called in the message: `context of "planner"`
 * @throws {SidecanaryError} `not-json`, with the path of the value
 */
export function plainJson(value: unknown, where: string): string {
  const text = JSON.stringify(value, function (this: unknown, key: string, shown: unknown) {
    const raw = (this as Record<string, unknown>)[key];
    const problem = refusal(raw, this);
    if (problem !== undefined) throw notJson(where, key, problem, value);
    return shown;
  });
  if (text === undefined) throw notJson(where, "", "undefined", value);
  return text;
}

function refusal(raw: unknown, holder: unknown): string | undefined {
  switch (typeof raw) {
    case "undefined":
      return Array.isArray(holder) ? "undefined in an array" : undefined;
    case "function":
    case "symbol":
    case "bigint":
      return `a ${typeof raw}`;
    case "number":
      return Number.isFinite(raw) ? undefined : String(raw);
    case "object": {
      if (raw === null) return undefined;
      const name = className(raw as object);
      if (name !== undefined) return `an instance of ${name}`;
      return typeof (raw as { toJSON?: unknown }).toJSON === "function"
        ? "an object with toJSON"
        : undefined;
    }
    default:
      return undefined;
  }
}

/** `undefined` for an array and for an object without a class. */
function className(value: object): string | undefined {
  if (Array.isArray(value)) return undefined;
  const prototype: unknown = Object.getPrototypeOf(value);
  if (prototype === null || prototype === Object.prototype) return undefined;
  const name = (prototype as { constructor?: { name?: string } }).constructor?.name;
  // An object of another realm has an `Object` of its own.
  return name === "Object" ? undefined : name ?? "a class";
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
