import type { Commit, CommitResult } from "./store.ts";

/** Whether what was committed may be due for another holder of the store. */
export function makesWork({ transitions }: Commit, { outcome }: CommitResult): boolean {
  return outcome === "committed" &&
    transitions.some(({ outbox, tells, timersSet }) =>
      outbox.length > 0 || tells.length > 0 || timersSet.length > 0
    );
}
