import { isSidecanaryError } from "../errors.ts";
import type { CampaignReport } from "../variants/report.ts";

/** The exit codes of `sidecanary`, in the order in which they apply. */
export const EXIT = {
  internal: 70,
  usage: 1,
  void: 4,
  incomplete: 7,
  survivors: 2,
  timeouts: 3,
  ok: 0,
} as const;

/** What an exit code depends on beside the report. */
export interface ExitOptions {
  /** 0 in place of 2, 3 and 7. Never in place of 4: a run that measured nothing is no pass. */
  readonly exitZero: boolean;
  /** Only the baseline was asked for. */
  readonly baselineOnly: boolean;
}

const MASKED: readonly number[] = [EXIT.survivors, EXIT.timeouts, EXIT.incomplete];

/** The exit code for a report. */
export function exitCodeOf(report: CampaignReport, options: ExitOptions): number {
  const code = judge(report, options.baselineOnly);
  return options.exitZero && MASKED.includes(code) ? EXIT.ok : code;
}

function judge({ end, reason, counts, complete }: CampaignReport, baselineOnly: boolean): number {
  switch (end) {
    case "baseline-failed":
    case "void":
      return EXIT.void;
    case "failed":
      return reason === "internal" ? EXIT.internal : EXIT.incomplete;
    case "cancelled":
      return EXIT.incomplete;
    case "complete":
      break;
  }
  if (counts.error > 0) return EXIT.incomplete;
  if (counts.survived > 0) return EXIT.survivors;
  if (counts.timeout > 0) return EXIT.timeouts;
  // Every variant that is left was killed, or skipped for no reason of the user's.
  return complete || baselineOnly || counts.total === 0 ? EXIT.ok : EXIT.incomplete;
}

/** The exit code for what kept a command from having a result. */
export function exitCodeOfError(error: unknown): number {
  if (!isSidecanaryError(error)) return EXIT.internal;
  switch (error.code) {
    case "usage":
    case "input-invalid":
    case "config-invalid":
    case "payload-failed":
    case "git-failed":
    case "sandbox-unavailable":
    case "campaign-locked":
    case "store-busy":
    case "store-version":
      return EXIT.usage;
    case "baseline-failed":
    case "run-void":
      return EXIT.void;
    case "sidecar-failed":
    case "host-failed":
      return EXIT.incomplete;
    default:
      return EXIT.internal;
  }
}

const SIGNALS: Readonly<Record<string, number>> = {
  SIGHUP: 1,
  SIGINT: 2,
  SIGPIPE: 13,
  SIGTERM: 15,
};

/** What a shell shows for a program that `signal` ended. */
export function exitCodeOfSignal(signal: string): number {
  return 128 + (SIGNALS[signal] ?? 0);
}
