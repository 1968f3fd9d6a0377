import type { RunKey } from "./campaign-ids.ts";
import { runRowKey } from "./campaign-ids.ts";
import { greenKey, type GreenRow } from "./controls.ts";
import type { KnownRun } from "./known-runs.ts";
import { collections, type Session } from "./session.ts";
import type { OutputRow } from "./variant-run-ports.ts";
import { FIRST_STREAK } from "./worker-health.ts";

/** The last verdicts that an earlier process came to on one sidecar, where they look alike. */
export interface SuspectTail {
  readonly last: RunKey;
  /** Those before it, back to the last survivor or green baseline. */
  readonly rest: readonly RunKey[];
  /** What the last one's failure looks like. */
  readonly signature: string;
}

/** Finds the verdicts that a process had no time to confirm, as `WorkerHealth` would doubt them. */
export async function suspectTails(
  session: Pick<Session, "records" | "campaign">,
  known: readonly KnownRun[],
): Promise<SuspectTail[]> {
  const { records, campaign } = session;
  const rows = await records.all<unknown>(collections.campaign(campaign));
  const outputs = await records.all<OutputRow>(collections.outputs(campaign));
  const bySidecar = new Map<string, KnownRun[]>();
  for (const run of known) {
    const sidecar = run.verdict?.sidecar ?? null;
    if (sidecar === null || run.verdict?.status === "skipped") continue;
    bySidecar.set(sidecar, [...bySidecar.get(sidecar) ?? [], run]);
  }
  const tails: SuspectTail[] = [];
  for (const [sidecar, runs] of bySidecar) {
    const green = (rows.get(greenKey(sidecar)) as GreenRow | undefined)?.at ?? 0;
    const inOrder = runs.filter(({ at }) => at > green).sort((a, b) => a.at - b.at);
    const survivor = inOrder.findLastIndex(({ verdict }) => verdict?.status === "survived");
    const tail = inOrder.slice(survivor + 1).map(({ key }) => key);
    const signatures = tail.slice(-FIRST_STREAK)
      .map((key) => outputs.get(runRowKey(key))?.signature);
    const [signature] = signatures;
    const last = tail.at(-1);
    const isStreak = signatures.length === FIRST_STREAK && new Set(signatures).size === 1;
    if (last === undefined || signature === undefined || !isStreak) continue;
    tails.push({ last, rest: tail.slice(0, -1), signature });
  }
  return tails;
}
