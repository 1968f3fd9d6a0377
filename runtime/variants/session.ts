import { mkdirSync } from "node:fs";
import { join } from "node:path";
import type { Clock } from "../clock.ts";
import type { Engine } from "../engine/engine.ts";
import type { Change, Provider } from "../sidecars/provider.ts";
import type { Payload } from "../sync/payload.ts";
import { budgetFrom } from "./budgets.ts";
import { type RunKey, runRowKey, slug } from "./campaign-ids.ts";
import type { CampaignRequest, Progress, ProjectCommand } from "./campaign-request.ts";
import type { LeaseDesk } from "./lease-desk.ts";
import type { Plan, PlannedRun } from "./plan.ts";
import { changeOf } from "./plan.ts";
import type { Records } from "./records.ts";
import type { CommandsOptions, LogFiles } from "./run-commands.ts";

/** What a campaign has spent its time on, in this process. */
export interface Metrics {
  readonly phases: {
    preflightMs: number;
    baselineMs: number;
    runningMs: number;
    closingMs: number;
  };
  /** The time of all commands of the running phase, those of the controls included. */
  commandMs: number;
  /** How many verdicts the running phase of this process came to. */
  verdicts: number;
}

/** Everything that the ports of one campaign share in this process. */
export interface Session {
  readonly request: CampaignRequest;
  readonly campaign: string;
  readonly clock: Clock;
  readonly engine: Engine;
  readonly records: Records;
  readonly provider: Provider;
  readonly payload: Payload;
  readonly plan: Plan;
  readonly desk: LeaseDesk;
  readonly metrics: Metrics;
  /** The folder of this campaign's logs. */
  readonly logs: string;
  readonly warnings: Set<string>;
  /** How long each command took in the baseline, by name, in ms; empty until it has passed. */
  readonly baselineMs: Map<string, number>;
  /** What each variant does, while it is needed. */
  readonly changes: Map<string, Promise<Change>>;
  /** Ends everything that runs in this process. */
  readonly signal: AbortSignal;
  /** Something that should not happen: ends the campaign. */
  readonly fail: (error: unknown) => void;
}

/** The names of a campaign's collections of records. */
export const collections = {
  /** What is known of the campaign as a whole. */
  campaign: (campaign: string) => `campaign:${campaign}`,
  /** Runs of variants: which generation counts. */
  runs: (campaign: string) => `runs:${campaign}`,
  /** Output of the commands that decided. */
  outputs: (campaign: string) => `outputs:${campaign}`,
} as const;

/** Tells who watches, and remembers warnings for the report. */
export function report(
  session: Pick<Session, "request" | "warnings">,
  progress: Progress,
): void {
  if (progress.type === "warning") {
    if (session.warnings.has(progress.message)) return;
    session.warnings.add(progress.message);
  }
  session.request.onProgress(progress);
}

/** The planned run of a variant. */
export function plannedRun(session: Session, variant: string): PlannedRun {
  const run = session.plan.runs.get(variant);
  if (run === undefined) throw new RangeError(`variant "${variant}" is not planned`);
  return run;
}

/** What a variant does to the payload; read once and forgotten by {@link forgetChange}. */
export function changeFor(session: Session, key: RunKey): Promise<Change> {
  const name = runRowKey(key);
  const known = session.changes.get(name);
  if (known !== undefined) return known;
  const run = plannedRun(session, key.variant);
  const reading = changeOf(session.payload, run, session.signal);
  // Who asked first may be gone when it fails: the next one asks again.
  reading.catch(() => session.changes.delete(name));
  session.changes.set(name, reading);
  return reading;
}

/** Frees the memory of {@link changeFor}. */
export function forgetChange(session: Session, key: RunKey): void {
  session.changes.delete(runRowKey(key));
}

/** How the commands of the campaign are run. `factor` stretches every budget. */
export function commandsOptions(
  session: Session,
  options: {
    readonly folder: string;
    readonly signal: AbortSignal;
    readonly factor?: number;
    /** A variant's own budget in ms, before every other one of the test commands. */
    readonly timeoutMs?: number | undefined;
    readonly budgetOf?: (command: ProjectCommand) => number;
    readonly onCommand?: (command: ProjectCommand) => void;
  },
): CommandsOptions {
  const { builds, commands, killExitCodes } = session.request;
  const { factor = 1, timeoutMs, onCommand } = options;
  const derived = (command: ProjectCommand) => {
    const baseline = session.baselineMs.get(command.name) ?? 0;
    const own = commands.includes(command) ? timeoutMs : undefined;
    return own ?? budgetFrom(command, session.request, baseline);
  };
  const budgetOf = options.budgetOf ?? derived;
  return {
    builds,
    commands,
    killExitCodes,
    budgetOf: (command) => Math.ceil(factor * budgetOf(command)),
    logsOf: logFiles(session, options.folder),
    signal: options.signal,
    ...(onCommand === undefined ? {} : { onCommand }),
  };
}

/** The folder of a variant's logs, below the campaign's: short, and unique by its place in the input. */
export function logFolder(run: PlannedRun, attempt: string): string {
  const index = String(run.index + 1).padStart(4, "0");
  return join(`${index}-${slug(run.variant.id)}`, attempt);
}

function logFiles(session: Session, folder: string): (command: ProjectCommand) => LogFiles {
  const dir = join(session.logs, folder);
  const { builds, commands } = session.request;
  const all = [...builds, ...commands];
  let isMade = false;
  return (command) => {
    if (!isMade) mkdirSync(dir, { recursive: true, mode: 0o700 });
    isMade = true;
    const name = `${all.indexOf(command) + 1}-${slug(command.name)}`;
    return { stdout: join(dir, `${name}.stdout`), stderr: join(dir, `${name}.stderr`) };
  };
}
