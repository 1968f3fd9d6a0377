/**
 * The summaries of runners whose exit code is the number of failures: mocha (at most 255), Catch2 (at
 * most 255), CppUTest, Unity, and Perl's TAP harness.
 */
const SUMMARIES: readonly RegExp[] = [
  /^\s*(\d+) failing$/gm,
  /^assertions: .*\| *(\d+) failed/gm,
  /^Errors \((\d+) failures?,/gm,
  /^\d+ Tests (\d+) Failures \d+ Ignored/gm,
  /^\s*Failed (\d+)\/\d+ subtests/gm,
];

// deno-lint-ignore no-control-regex
const COLOURS = /\u001b\[[0-9;]*m/g;

/**
 * Whether a runner's own summary says that `code` is its number of failures. Such a code may look like
 * a signal's, 128 + n, and is none.
 */
export function isFailureCount(code: number, stdout: string, stderr: string): boolean {
  const text = `${stdout}\n${stderr}`.replace(COLOURS, "");
  return SUMMARIES.some((summary) =>
    [...text.matchAll(summary)].some(([, count]) =>
      code > 0 && Math.min(Number(count), 255) === code
    )
  );
}
