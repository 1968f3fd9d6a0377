import type { Clock } from "../clock.ts";
import type { CampaignReport, VariantResult } from "./report.ts";
import type { Variant } from "./variant.ts";

/** A shell command of the project. */
export interface ProjectCommand {
  /** Unique among a campaign's commands. */
  readonly name: string;
  /** Run by `sh -c` in the working directory. */
  readonly run: string;
  /**
   * Its budget in ms, in place of the derived one.
   * @default null
   */
  readonly timeoutMs?: number | null;
}

/** Which exit codes mean that the tests saw the change. */
export type KillExitCodes = "default" | readonly number[];

/** Everything a campaign is made of. */
export interface CampaignRequest {
  /** Any folder of the project; commands run here. */
  readonly cwd: string;
  readonly variants: readonly Variant[];
  /** Run before the tests; a failure is an `error`, never a kill. */
  readonly builds: readonly ProjectCommand[];
  /** Run in order; the first that fails kills. At least one. */
  readonly commands: readonly ProjectCommand[];
  /** How many variants run at once. */
  readonly workers: number;
  /** A budget in ms for every command without its own, or `null` to derive it from the baseline. */
  readonly timeoutMs: number | null;
  readonly timeoutMultiplier: number;
  readonly minimumTimeoutMs: number;
  readonly killExitCodes: KillExitCodes;
  readonly baseline: "run" | "skip" | "only";
  /** Stop after so many survivors, or `null`. */
  readonly failFast: number | null;
  /** Forget an unfinished run of the same campaign. */
  readonly fresh: boolean;
  readonly isolation: "auto" | "overlay" | "reflink" | "copy";
  /** Folder that gets the report and the whole logs, or `null` to keep logs in the state folder only. */
  readonly output: string | null;
  /** `$XDG_STATE_HOME/sidecanary` or its default. */
  readonly stateHome: string;
  readonly version: string;
  /** Cancels: what is known is reported, nothing stays behind. */
  readonly signal: AbortSignal;
  readonly onProgress: (progress: Progress) => void;
  readonly clock: Clock;
  /** Draws in [0, 1). */
  readonly random: () => number;
}

/** What happens while a campaign runs, for people who watch. */
export type Progress =
  | { readonly type: "phase"; readonly phase: "preflight" | "baseline" | "running" | "closing" }
  | {
    readonly type: "campaign";
    readonly campaign: string;
    readonly total: number;
    /** How many verdicts an earlier run left. */
    readonly resumed: number;
    /** Which part of the campaign's key differs from the unfinished one, where there was one. */
    readonly changed: readonly string[];
  }
  | { readonly type: "isolation"; readonly description: string; readonly workers: number }
  | { readonly type: "baseline"; readonly name: string; readonly durationMs: number }
  | {
    readonly type: "state";
    readonly variant: string;
    readonly worker: string | null;
    readonly state: "booting" | "syncing" | "patching" | "testing" | "waiting";
    /** The command that runs, while testing. */
    readonly command?: string;
  }
  | { readonly type: "verdict"; readonly result: VariantResult; readonly done: number }
  | { readonly type: "revoked"; readonly variant: string; readonly reason: string }
  | { readonly type: "retry"; readonly what: string; readonly message: string }
  | { readonly type: "warning"; readonly message: string };

/** Runs a campaign to its end. Rejects only for what kept it from having a report at all. */
export type RunCampaign = (request: CampaignRequest) => Promise<CampaignReport>;
