import type { KillExitCodes } from "../../variants/campaign-request.ts";
import { killExitCodePresets } from "../../variants/kill-exit-codes.ts";

/** What `--kill-exit-codes` takes beside a list. */
export const KILL_PRESETS: readonly string[] = ["default", ...Object.keys(killExitCodePresets)];

/** What {@link parseKillExitCodes} takes in place of a preset, for schemas. */
export const EXIT_CODES_PATTERN = /^\d{1,3}(-\d{1,3})?(,\d{1,3}(-\d{1,3})?)*$/;

/**
 * The exit codes that mean a kill, for a preset's name or a list: `1`, `1,2`, `1-5,100`.
 *
 * @throws RangeError when it is neither, or names a code that is never a kill
 */
export function parseKillExitCodes(text: string): KillExitCodes {
  if (text === "default") return text;
  const preset = new Map<string, readonly number[]>(Object.entries(killExitCodePresets)).get(text);
  if (preset !== undefined) return preset;
  if (!EXIT_CODES_PATTERN.test(text)) {
    const names = KILL_PRESETS.join(", ");
    throw new RangeError(`"${text}" is no list of exit codes (1,2,5-9) and none of ${names}`);
  }
  const codes = text.split(",").flatMap((part) => {
    const [first = NaN, last = first] = part.split("-").map(Number);
    return Array.from({ length: Math.max(0, last - first + 1) }, (_, i) => first + i);
  });
  if (codes.length === 0 || codes.some((code) => code < 1 || code > 255)) {
    throw new RangeError(`"${text}" is no list of exit codes: each is from 1 to 255, 1-5 rises`);
  }
  const never = codes.find((code) => code === 126 || code === 127 || (code > 128 && code <= 192));
  if (never !== undefined) {
    throw new RangeError(
      `"${text}" holds ${never}: 126, 127 and 128 + a signal say that the tests did not run`,
    );
  }
  return [...new Set(codes)].sort((a, b) => a - b);
}
