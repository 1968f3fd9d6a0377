/** One line of the bench. */
export interface BenchRow {
  readonly what: string;
  /** What was measured, with its unit. */
  readonly figure: string;
  /** What it should reach. */
  readonly target?: string;
  /** Whether it did. */
  readonly met?: boolean;
}

/** The middle of some measurements. */
export function median(values: readonly number[]): number {
  const sorted = [...values].sort((a, b) => a - b);
  return sorted[Math.floor(sorted.length / 2)] ?? Number.NaN;
}
