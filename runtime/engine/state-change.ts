import type { Json } from "../json.ts";

/**
 * One difference between two JSON values: `[path, value]` sets, `[path]` removes a property. The path
 * is from the root; the empty path replaces the whole.
 */
export type Change = readonly [path: readonly (string | number)[], value?: Json];

/**
 * What leads from `before` to `after`, in the order in which {@link applyChanges} takes it. Arrays
 * that became shorter are replaced whole. `before` is `undefined` where there was nothing.
 */
export function changesBetween(before: Json | undefined, after: Json): readonly Change[] {
  const changes: Change[] = [];
  collect(before, after, [], changes);
  return changes;
}

/** `before` with the changes made, as a new value. */
export function applyChanges(before: Json | undefined, changes: readonly Change[]): Json {
  let root: Json | undefined = before === undefined ? undefined : structuredClone(before);
  for (const change of changes) {
    const [path] = change;
    const value = change.length === 2 ? structuredClone(change[1]) as Json : undefined;
    const last = path[path.length - 1];
    if (last === undefined) {
      root = value;
      continue;
    }
    let holder = root as Holder;
    for (const key of path.slice(0, -1)) holder = own(holder, key) as Holder;
    if (value === undefined) delete holder[last];
    else setOwn(holder, last, value);
  }
  if (root === undefined) throw new RangeError("Cannot apply changes: there is nothing to change");
  return root;
}

type Holder = Record<string | number, Json>;

function collect(
  before: Json | undefined,
  after: Json,
  path: readonly (string | number)[],
  changes: Change[],
): void {
  if (before === after) return;
  if (isArray(before) && isArray(after) && after.length >= before.length) {
    after.forEach((value, index) => collect(before[index], value, [...path, index], changes));
    return;
  }
  if (isObject(before) && isObject(after)) {
    for (const key of Object.keys(before)) {
      if (!Object.hasOwn(after, key)) changes.push([[...path, key]]);
    }
    for (const [key, value] of Object.entries(after)) {
      collect(own(before, key), value, [...path, key], changes);
    }
    return;
  }
  changes.push([path, after]);
}

// A key of JSON may be called `__proto__`, which is an accessor when it is read or set plainly.
function own(holder: { readonly [key: string]: Json }, key: string | number): Json | undefined {
  return Object.hasOwn(holder, key) ? holder[key] : undefined;
}

function setOwn(holder: Holder, key: string | number, value: Json): void {
  const attributes = { value, writable: true, enumerable: true, configurable: true };
  Object.defineProperty(holder, key, attributes);
}

function isArray(value: Json | undefined): value is readonly Json[] {
  return Array.isArray(value);
}

function isObject(value: Json | undefined): value is { readonly [key: string]: Json } {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}
