const UNITS: Readonly<Record<string, number>> = { ms: 1, s: 1000, m: 60_000, h: 3_600_000 };

/** What {@link parseDuration} takes, for schemas. */
export const DURATION_PATTERN = /^(\d+(?:\.\d+)?)(ms|s|m|h)?$/;

/** What a timer can wait, in ms: almost 25 days. */
export const LONGEST_MS = 2 ** 31 - 1;

/**
 * Milliseconds for `90` (seconds), `"90"`, `"90s"`, `"2m"`, `"1h"` or `"500ms"`.
 *
 * @throws RangeError when it is none of these, not more than zero, or longer than a timer can wait
 */
export function parseDuration(value: string | number): number {
  const text = String(value);
  const match = DURATION_PATTERN.exec(text);
  const ms = Math.round(Number(match?.[1]) * (UNITS[match?.[2] ?? "s"] ?? NaN));
  if (ms > LONGEST_MS) throw new RangeError(`"${text}" is too long: 596h (24 days) is the most`);
  if (!(ms > 0)) {
    throw new RangeError(`"${text}" is not a time: give seconds (90), or 500ms, 30s, 2m, 1h`);
  }
  return ms;
}
