import type { Verdict } from "../../machines/variant-run/verdict.ts";
import type { ActorView } from "../engine/actor-view.ts";
import { escapeId, type RunKey, variantRunId } from "./campaign-ids.ts";
import type { UnmeasuredReason } from "./judge.ts";
import { collections, type Session } from "./session.ts";

/** Which run of a variant counts. */
export interface RunRow {
  readonly generation: number;
  /** Set where a verdict was taken back and there is no place to come to another one. */
  readonly givenUp: UnmeasuredReason | null;
}

/** What is stored of the run of a variant that counts. */
export interface KnownRun {
  readonly key: RunKey;
  readonly row: RunRow;
  /** `null` until it is scored. */
  readonly verdict: Verdict | null;
  /** Whether it has been started and is not scored. */
  readonly isActive: boolean;
  /** When it last changed, in ms since the epoch; 0 where it was never started. */
  readonly at: number;
}

/** Every planned run as it is stored, in the order of the input. */
export async function knownRuns(
  session: Pick<Session, "plan" | "records" | "campaign" | "engine">,
): Promise<KnownRun[]> {
  const { plan, records, campaign, engine } = session;
  const rows = await records.all<RunRow>(collections.runs(campaign));
  const known: KnownRun[] = [];
  for (const variant of plan.runs.keys()) {
    const row = rows.get(escapeId(variant)) ?? { generation: 1, givenUp: null };
    const key = { variant, generation: row.generation };
    if (row.givenUp !== null) {
      known.push({ key, row, verdict: unmeasured(row.givenUp), isActive: false, at: 0 });
      continue;
    }
    const view = await engine.actor(variantRunId(campaign, key));
    const isActive = view?.status === "active";
    const verdict = view === undefined || isActive ? null : verdictOf(view);
    known.push({ key, row, verdict, isActive, at: view?.updatedAt ?? 0 });
  }
  return known;
}

/** The verdict of a run that has ended; one that did not end well is a defect. */
export function verdictOf(view: ActorView): Verdict {
  if (view.status === "stopped") return { ...unmeasured("not-run"), status: "skipped" };
  if (view.status === "done" && view.output !== null) return view.output as unknown as Verdict;
  return unmeasured("unexpected");
}

/** An `error` verdict of a run that never came to commands. */
export function unmeasured(reason: UnmeasuredReason): Verdict {
  return {
    status: "error",
    reason,
    command: null,
    exitCode: null,
    durationMs: 0,
    sidecar: null,
    attempts: 0,
    losses: 0,
  };
}

/** Whether a verdict of an earlier process tells of nothing but its surroundings. */
export function isToBeRepeated({ status, command }: Verdict): boolean {
  return status === "skipped" || (status === "error" && command === null);
}
