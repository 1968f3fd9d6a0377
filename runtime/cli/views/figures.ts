/** A duration for people, by its largest part: `0.42s`, `4.1s`, `90s`, `12m`, `3h`. */
export function duration(ms: number): string {
  if (ms < 995) return `${(ms / 1000).toFixed(2)}s`;
  if (ms < 9_950) return `${(ms / 1000).toFixed(1)}s`;
  if (ms < 119_500) return `${Math.round(ms / 1000)}s`;
  if (ms < 7_170_000) return `${Math.round(ms / 60_000)}m`;
  return `${Math.round(ms / 3_600_000)}h`;
}

/** A share for people; only all of it is `100 %`. */
export function percent(share: number): string {
  const tenths = share < 1 ? Math.min(999, Math.round(share * 1000)) : 1000;
  return `${(tenths / 10).toFixed(tenths === 1000 ? 0 : 1)} %`;
}

/** `1 variant`, `2 variants`. */
export function count(n: number, noun: string): string {
  return `${n} ${noun}${n === 1 ? "" : "s"}`;
}
