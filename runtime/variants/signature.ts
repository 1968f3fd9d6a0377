/** What two failures are compared by. */
export interface FailureSigned {
  readonly command: string | null;
  readonly exitCode: number | null;
  readonly stdout: string;
  readonly stderr: string;
}

/** How many characters of the end of each stream count. */
const TAIL = 2_000;

/**
 * The same text for failures that look the same: command, exit code and the end of the output, with
 * what changes from run to run taken out (numbers, hexadecimal ids, white space, colours).
 */
export function failureSignature(failure: FailureSigned): string {
  const { command, exitCode, stdout, stderr } = failure;
  return JSON.stringify([command, exitCode, normalise(stdout), normalise(stderr)]);
}

function normalise(text: string): string {
  return text.slice(-TAIL)
    // deno-lint-ignore no-control-regex
    .replace(/\u001b\[[0-9;]*m/g, "")
    .replace(/\b(?:0x)?[0-9a-f]*\d[0-9a-f]*\b/gi, "#")
    .replace(/\d+/g, "#")
    .replace(/\s+/g, " ")
    .trim();
}
