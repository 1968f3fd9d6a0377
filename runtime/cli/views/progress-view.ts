import type { Progress } from "../../variants/campaign-request.ts";

/** Shows a campaign while it runs, on standard error. */
export interface ProgressView {
  /** Called after the state has taken the progress in. */
  show(progress: Progress): void;
  /** Leaves the terminal as a program should; nothing is shown afterwards. */
  close(): void;
}
