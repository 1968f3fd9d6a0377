import type { VerdictStatus } from "../../machines/variant-run/verdict.ts";

/** Where a variant's first change stands, for people. */
export interface PatchLocation {
  /** Relative to the payload's root. */
  readonly file: string;
  /** 1-based, in the unpatched file. */
  readonly line: number;
}

/** What is known of one variant when a campaign ends. */
export interface VariantResult {
  readonly id: string;
  readonly description: string;
  readonly status: VerdictStatus;
  /** Why, for `error` and `skipped`; for a shared verdict, `duplicate` names the other variant. */
  readonly reason?: string;
  /** The variant whose identical tree was run in place of this one's. */
  readonly duplicateOf?: string;
  /** Whether a command failed by itself: `status` is `killed`. */
  readonly killed: boolean;
  /** The name of the command that decided. */
  readonly command?: string;
  /** The exit code of the command that decided, of the last one for a survivor; `null` without one. */
  readonly exit_code: number | null;
  /** The end of the deciding command's output. */
  readonly stdout: string;
  readonly stderr: string;
  /** What went wrong, in a sentence, for `error` and `timeout`. */
  readonly error?: string;
  /** How long the commands ran, in ms. */
  readonly durationMs: number;
  /** The worker it ran on, or `null`. */
  readonly sidecar: string | null;
  /** How often a port was tried over the variant's life. */
  readonly attempts: number;
  readonly location?: PatchLocation;
  readonly category?: string;
  readonly tags?: readonly string[];
  /** The files that hold the whole output, where they are kept. */
  readonly logs?: { readonly stdout: string; readonly stderr: string };
}

/** How many variants ended how. */
export interface ReportCounts {
  readonly total: number;
  readonly killed: number;
  readonly survived: number;
  readonly timeout: number;
  readonly error: number;
  readonly skipped: number;
}

/** The result of a campaign: what `--format json` prints. */
export interface CampaignReport {
  readonly schemaVersion: "1";
  /** The tool and its version. */
  readonly tool: { readonly name: "sidecanary"; readonly version: string };
  readonly campaign: string;
  /** Whether every variant has a verdict that measured something, and the controls held. */
  readonly complete: boolean;
  /** How the campaign ended. `listed` and `planned` ran nothing. */
  readonly end: "complete" | "baseline-failed" | "void" | "cancelled" | "failed";
  /** Why, unless `complete`. */
  readonly reason: string | null;
  /** How many variants were measured: killed, survived or timeout. */
  readonly measured: number;
  readonly counts: ReportCounts;
  /**
   * (killed + timeout) / (killed + survived + timeout). `null` with nothing measured, and where `end`
   * is `void` or `baseline-failed`; of what was measured until then, where it is `cancelled`.
   */
  readonly score: number | null;
  /** killed / (killed + survived + timeout), or `null` where `score` is. */
  readonly strictScore: number | null;
  /**
   * Sum of command time / (workers × time of the running phase), or `null`. The commands of the
   * broken payload and of repeated baselines count as commands. Of this process alone, where an
   * earlier one began.
   */
  readonly efficiency: number | null;
  /** What a variant cost beside its commands, in ms: (workers × running − Σ command time) / variants. */
  readonly overheadMs: number | null;
  /** Wall time by phase, in ms. */
  readonly timings: {
    readonly preflightMs: number;
    readonly baselineMs: number;
    readonly runningMs: number;
    readonly closingMs: number;
  };
  readonly workers: number;
  /** The isolation in words: "overlay as root". */
  readonly isolation: string;
  /** How many sidecars this process made, and what became of them. */
  readonly sidecars: {
    readonly created: number;
    readonly destroyed: number;
    /** Those that may still exist, by name. */
    readonly left: readonly string[];
  };
  readonly baseline: {
    readonly skipped: boolean;
    readonly commands: readonly {
      readonly name: string;
      readonly durationMs: number;
      readonly timeoutMs: number;
    }[];
    /** The failing command's output, where the baseline failed. */
    readonly failure?: {
      readonly command: string;
      readonly exit_code: number | null;
      readonly stdout: string;
      readonly stderr: string;
    };
  };
  /** What people should know before they trust the figures. */
  readonly warnings: readonly string[];
  /** How many verdicts came from an earlier, unfinished run of the same campaign. */
  readonly resumed: number;
  /** In the order of the input. */
  readonly results: readonly VariantResult[];
}
