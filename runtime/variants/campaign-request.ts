import type { Clock } from "../clock.ts";
import type { HostProvider } from "../sidecars/host-provider.ts";
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

/** What runs once on each host after the payload is there first. */
export interface HostSetup {
  /** Run by `sh -c` in the checkout of the payload. */
  readonly command: string;
  /** The files, relative to the payload's root, whose change makes it run again. */
  readonly lockFiles: readonly string[];
}

/** What {@link HostsChoice.open} is given. */
export interface HostsContext {
  /** The folder where this working tree keeps what outlives a process. */
  readonly stateDir: string;
  /** Whose the hosts are: part of their names. */
  readonly owner: string;
  readonly clock: Clock;
  /** Draws in [0, 1). */
  readonly random: () => number;
  readonly signal: AbortSignal;
  /** A sentence that people should see. */
  readonly onNotice: (message: string) => void;
}

/** Hosts that commands run on in place of this machine. */
export interface HostsChoice {
  /** Tells one choice from another, in the campaign's key too; holds no secret. */
  readonly label: string;
  /** How many variants run at once on one host: on each, or on one after the other. */
  readonly lanes: number | readonly number[];
  readonly setup: HostSetup | null;
  readonly open: (context: HostsContext) => Promise<HostProvider>;
}

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
  /** Where commands run; `null` is this machine. */
  readonly hosts: HostsChoice | null;
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
  | {
    /** The payload on its way to a sidecar. */
    readonly type: "sync";
    readonly sidecar: string;
    readonly sentBytes: number;
    readonly totalBytes: number;
  }
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
