import type { Progress } from "../variants/campaign-request.ts";
import type { SyncProgress } from "../sidecars/provider.ts";
import type { ReportCounts, VariantResult } from "../variants/report.ts";

/** What a variant is doing. */
export interface Activity {
  readonly variant: string;
  readonly state: string;
  readonly command: string | undefined;
  /** When it came into this state. */
  readonly since: number;
}

/** So many variants must have run before the time that is left can be told. */
const ENOUGH = 3;

/** What the progress of a campaign has come to so far. */
export class ProgressState {
  total = 0;
  done = 0;
  resumed = 0;
  retries = 0;
  workers = 0;
  /** How far the payload has come, by sidecar. */
  readonly synced = new Map<string, SyncProgress>();
  phase: "preflight" | "baseline" | "running" | "closing" = "preflight";
  readonly startedAt: number;
  readonly #status = new Map<string, VariantResult["status"]>();
  readonly #active = new Map<string, Activity>();
  /** When a worker first was at a variant that has no verdict. */
  readonly #begun = new Map<string, number>();
  #runningSince: number | undefined;
  /** Verdicts of variants that ran, in the running phase. */
  #ran = 0;

  /** @param now in ms */
  constructor(now: number) {
    this.startedAt = now;
  }

  /** The variants that a worker is at, the one that came into its state first at the top. */
  get active(): readonly Activity[] {
    return [...this.#active.values()];
  }

  /** Verdicts by status. */
  get counts(): ReportCounts {
    const of = (status: VariantResult["status"]): number =>
      [...this.#status.values()].filter((each) => each === status).length;
    return {
      total: this.total,
      killed: of("killed"),
      survived: of("survived"),
      timeout: of("timeout"),
      error: of("error"),
      skipped: of("skipped"),
    };
  }

  /** @param now in ms */
  apply(progress: Progress, now: number): void {
    switch (progress.type) {
      case "phase":
        this.phase = progress.phase;
        if (progress.phase === "running") this.#runningSince ??= now;
        break;
      case "campaign":
        this.total = progress.total;
        this.resumed = progress.resumed;
        this.done = Math.max(this.done, progress.resumed);
        break;
      case "isolation":
        this.workers = progress.workers;
        break;
      case "state": {
        const { variant, worker, state, command } = progress;
        this.#active.delete(variant);
        // It waits for a worker.
        if (worker === null) break;
        if (!this.#begun.has(variant)) this.#begun.set(variant, now);
        this.#active.set(variant, { variant, state, command, since: now });
        break;
      }
      case "verdict":
        this.done = progress.done;
        this.#active.delete(progress.result.id);
        this.#begun.delete(progress.result.id);
        this.#status.set(progress.result.id, progress.result.status);
        if (this.#runningSince !== undefined && progress.result.attempts > 0) this.#ran++;
        break;
      case "revoked":
        if (this.#status.delete(progress.variant)) this.done = Math.max(0, this.done - 1);
        break;
      case "retry":
        this.retries++;
        break;
      case "sync":
        this.synced.set(progress.sidecar, progress);
        break;
      case "baseline":
      case "warning":
        break;
    }
  }

  /** How long the variants that are left take, in ms; `undefined` while nobody can know. */
  remainingMs(now: number): number | undefined {
    const left = this.total - this.done;
    if (this.#runningSince === undefined || this.#ran < ENOUGH || left <= 0) return undefined;
    const each = (now - this.#runningSince) / this.#ran;
    const usual = each * Math.max(1, this.workers);
    // What is left takes longer than the others did, a confirmation of a timeout, say.
    const slow = [...this.#begun.values()].filter((since) => now - since > usual).length;
    return left <= slow ? undefined : each * left;
  }
}
