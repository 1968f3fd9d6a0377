/** What {@link parseJobs} takes, for schemas. */
export const JOBS_PATTERN = /^(auto|[1-9]\d*|[1-9]\d*%)$/;

/** More workers than this have never helped and can take a machine down. */
const MOST = 1024;

/**
 * How many workers `4`, `"4"`, `"50%"` or `"auto"` mean.
 *
 * @param available how many processors this process may use
 * @throws RangeError when it is none of these
 */
export function parseJobs(value: string | number, available: number): number {
  const text = String(value);
  if (!JOBS_PATTERN.test(text)) {
    throw new RangeError(
      `"${text}" is not a number of workers: give 4, 50% (of the processors) or auto`,
    );
  }
  if (text === "auto") return Math.max(1, available);
  const jobs = text.endsWith("%")
    ? Math.max(1, Math.floor(available * Number(text.slice(0, -1)) / 100))
    : Number(text);
  if (jobs > MOST) throw new RangeError(`"${text}" is more than ${MOST} workers`);
  return jobs;
}
