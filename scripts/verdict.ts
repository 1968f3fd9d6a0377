import { stripVTControlCharacters } from "node:util";

/** What one spec file has come to. */
export interface Verdict {
  readonly passed: number;
  /** At least 1 when there is a fault. */
  readonly failed: number;
  /** Why the file does not count as green. */
  readonly fault?: string;
}

/**
 * Judges a spec file by what it printed. Green needs three to agree: how the process ended, the
 * harness's closing line, and uvu's own total; and at least one test.
 *
 * @param ended how the process ended, or `undefined` for exit code 0
 */
export function verdict(ended: string | undefined, output: string): Verdict {
  const text = stripVTControlCharacters(output);
  const closing = [...text.matchAll(/^.+: (\d+) passed, (\d+) failed$/gm)].at(-1);
  const total = [...text.matchAll(/^ {2}Total: +(\d+)$/gm)].at(-1)?.[1];
  const passed = Number(closing?.[1] ?? 0);
  const failed = Number(closing?.[2] ?? 0);
  const fault = faultOf(closing !== undefined, ended, passed, failed, total);
  return fault === undefined ? { passed, failed } : { passed, failed: Math.max(failed, 1), fault };
}

function faultOf(
  closed: boolean,
  ended: string | undefined,
  passed: number,
  failed: number,
  total: string | undefined,
): string | undefined {
  if (!closed) return `no closing line; the process ${ended ?? "ended with 0"}`;
  if (failed > 0) return `${failed} failed`;
  if (ended !== undefined) return `the process ${ended}`;
  if (passed === 0) return "no test was run";
  if (passed !== Number(total)) return `${passed} passed, but uvu counted ${total ?? "nothing"}`;
  return undefined;
}
