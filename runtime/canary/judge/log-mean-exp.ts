/** `ln(mean(exp(values)))`, without overflow however large the values are. -Infinity without any. */
export function logMeanExp(values: readonly number[]): number {
  let highest = -Infinity;
  for (const value of values) if (value > highest) highest = value;
  if (!Number.isFinite(highest)) return highest;
  let sum = 0;
  for (const value of values) sum += Math.exp(value - highest);
  return highest + Math.log(sum / values.length);
}
