/** How a variant run can end. `error` and `skipped` measured nothing and carry a reason. */
export type VerdictStatus = "killed" | "survived" | "timeout" | "error" | "skipped";

/** What the port `test` answers. */
export interface TestOutcome {
  readonly status: "killed" | "survived" | "timeout" | "error";
  /** Why nothing was measured; given with `error`, `null` otherwise. */
  readonly reason: string | null;
  /** The command that decided, `null` where every command passed or none ran. */
  readonly command: string | null;
  /** Its exit code, `null` where it did not end by itself. */
  readonly exitCode: number | null;
  /** How long the commands ran, in milliseconds. */
  readonly durationMs: number;
}

/** The output of a variant run. */
export interface Verdict {
  readonly status: VerdictStatus;
  /** Given with `error` (a failure's code or the outcome's reason) and `skipped`, else `null`. */
  readonly reason: string | null;
  readonly command: string | null;
  readonly exitCode: number | null;
  /** How long the commands of the deciding attempt ran, in milliseconds; 0 where none did. */
  readonly durationMs: number;
  /** The sidecar of the last lease, `null` where none was ever had. */
  readonly sidecar: string | null;
  /** How often the commands were started: 1 for an untroubled run, 2 for a confirmed timeout. */
  readonly attempts: number;
  /** How many sidecars were lost on the way. */
  readonly losses: number;
}
