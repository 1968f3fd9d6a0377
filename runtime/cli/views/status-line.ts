import type { ProgressState } from "../progress-state.ts";
import { count, duration } from "./figures.ts";
import type { Palette } from "./palette.ts";

/** `12/40 variants, 1 survived, 11 killed, 30s elapsed, about 1m remaining`. */
export function statusLine(state: ProgressState, now: number, palette: Palette): string {
  const { counts } = state;
  const parts = [
    state.phase === "running" || state.phase === "closing"
      ? `${state.done}/${count(state.total, "variant")}`
      : syncing(state) ?? PHASES[state.phase],
    counts.survived > 0 ? palette.red(`${counts.survived} survived`) : "",
    counts.timeout > 0 ? palette.yellow(`${counts.timeout} timeout`) : "",
    counts.error > 0 ? palette.yellow(`${counts.error} error`) : "",
    counts.killed > 0 ? `${counts.killed} killed` : "",
    `${duration(now - state.startedAt)} elapsed`,
  ];
  const remaining = state.remainingMs(now);
  if (remaining !== undefined) parts.push(`about ${duration(remaining)} remaining`);
  return parts.filter((part) => part !== "").join(", ");
}

/** `sending the payload to 4 sidecars, 31 of 46 MB`, until every one that began has it. */
function syncing({ synced }: ProgressState): string | undefined {
  const begun = [...synced.values()];
  if (begun.every(({ sentBytes, totalBytes }) => sentBytes >= totalBytes)) return undefined;
  const sent = begun.reduce((sum, each) => sum + each.sentBytes, 0);
  const total = begun.reduce((sum, each) => sum + each.totalBytes, 0);
  return `sending the payload to ${count(begun.length, "sidecar")}, ${megabytes(sent)} of ` +
    `${megabytes(total)} MB`;
}

function megabytes(bytes: number): string {
  return (bytes / 1e6).toFixed(bytes < 1e7 ? 1 : 0);
}

const PHASES = {
  preflight: "trying the patches",
  baseline: "running the commands without a patch",
} as const;
