import type { Change, FileChange } from "../sidecars/provider.ts";
import { readChanged } from "../sync/changed-blobs.ts";
import type { Payload } from "../sync/payload.ts";
import type { Planned, PlannedChange } from "./preflight.ts";

/** What is to be done with the variants of a campaign. */
export interface Plan {
  /** In the order of the input. */
  readonly planned: readonly Planned[];
  /** Those that run, by id, in the order of the input. */
  readonly runs: ReadonlyMap<string, PlannedRun>;
  /** The ids that share the verdict of another one, by its id. */
  readonly twins: ReadonlyMap<string, readonly string[]>;
}

/** A variant that runs. */
export interface PlannedRun extends PlannedChange {
  /** Its place in the input. */
  readonly index: number;
}

/** Sorts out what preflight found. */
export function planOf(planned: readonly Planned[]): Plan {
  const runs = new Map<string, PlannedRun>();
  const twins = new Map<string, string[]>();
  planned.forEach((each, index) => {
    if (each.kind === "run") runs.set(each.variant.id, { ...each, index });
    if (each.kind === "duplicate") {
      twins.set(each.of, [...twins.get(each.of) ?? [], each.variant.id]);
    }
  });
  return { planned, runs, twins };
}

/** Reads what a variant does to the payload. */
export async function changeOf(
  payload: Payload,
  { variant, changed }: PlannedChange,
  signal: AbortSignal,
): Promise<Change> {
  const blobs = await readChanged(payload, { changed }, { signal });
  const files = blobs.map(({ path, mode, bytes }): FileChange =>
    bytes === null
      ? { path, mode: "deleted" }
      : { path, mode: mode === 0o120000 ? "120000" : mode & 0o100 ? "100755" : "100644", bytes }
  );
  return { id: variant.id, files };
}
