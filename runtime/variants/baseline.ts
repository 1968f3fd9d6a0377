import type { Baseline } from "../../machines/campaign/ports.ts";
import type { Failure } from "../../machines/failure.ts";
import { BASELINE_BUDGET_MS, budgetFrom, explicitBudget, UNMEASURED_BUDGET_MS } from "./budgets.ts";
import type { ProjectCommand } from "./campaign-request.ts";
import type { Fleet } from "./fleet.ts";
import type { Worker } from "./lease-desk.ts";
import type { CommandsOptions, CommandsOutcome } from "./run-commands.ts";
import { collections, commandsOptions, report, type Session } from "./session.ts";

/** What is kept of the baseline. */
export interface BaselineRow {
  readonly skipped: boolean;
  readonly commands: readonly {
    readonly name: string;
    readonly durationMs: number;
    readonly timeoutMs: number;
  }[];
  /** Whether a known test runner was seen in its output. */
  readonly tests: CommandsOutcome["tests"];
  readonly failure?: {
    readonly command: string;
    readonly exit_code: number | null;
    readonly stdout: string;
    readonly stderr: string;
    readonly message: string;
  };
}

/**
 * Builds, freezes what the build left, and runs the commands on the unpatched payload on every
 * sidecar at once: that is how loaded the machine is while variants run. What tests leave behind is
 * not kept: a test that fails when it runs twice in the same folder would fail in every variant.
 *
 * @throws a `Failure` `baseline-failed` where a command does not pass
 */
export async function runBaseline(
  session: Session,
  fleet: Fleet,
  signal: AbortSignal,
): Promise<Baseline> {
  const { request } = session;
  await fleet.start();
  if (request.baseline === "skip") return await skip(session, fleet, signal);
  const durations = new Map<string, number>();
  const all = await runEverywhere(session, fleet, signal);
  for (const { ran } of all) {
    for (const [name, durationMs] of Object.entries(ran)) {
      durations.set(name, Math.max(durations.get(name) ?? 0, durationMs));
    }
  }
  const steps = [...request.builds, ...request.commands];
  const commands = steps.map((command) => {
    const durationMs = durations.get(command.name) ?? 0;
    report(session, { type: "baseline", name: command.name, durationMs });
    return { name: command.name, durationMs, timeoutMs: budgetFrom(command, request, durationMs) };
  });
  const tests = all[0]?.tests ?? "unknown";
  return await keep(session, { skipped: false, commands, tests });
}

/** Takes over what an earlier process measured. */
export function restoreBaseline(session: Session, row: BaselineRow): void {
  for (const { name, durationMs } of row.commands) session.baselineMs.set(name, durationMs);
}

/**
 * Does again for this process's sidecars what an earlier process did for its own: builds, and finds
 * out whether the environment is still good.
 *
 * @throws a `Failure` `baseline-failed` where it is not
 */
export async function renewBaseline(
  session: Session,
  fleet: Fleet,
  signal: AbortSignal,
): Promise<void> {
  await fleet.start();
  if (session.request.baseline !== "skip") return void await runEverywhere(session, fleet, signal);
  const workers = ready(session);
  await build(session, fleet, signal);
  for (const worker of workers) prove(worker);
}

/** Runs the commands on the unpatched payload on one worker, within the budgets of a variant. */
export async function checkBaseline(
  session: Session,
  fleet: Fleet,
  worker: Worker,
  options: {
    readonly signal: AbortSignal;
    /** Called while the worker is still held. */
    readonly onDone: (outcome: CommandsOutcome) => void;
  },
): Promise<CommandsOutcome> {
  const { signal, onDone } = options;
  const commands = commandsOptions(session, { folder: `check-${worker.index}`, signal });
  const isSkipped = session.request.baseline === "skip";
  if (!worker.isProven && session.provider.warmth === "own" && commands.builds.length > 0) {
    const built = await buildOn(session, fleet, worker, signal);
    if (built.status !== "survived") {
      onDone(built);
      return built;
    }
  }
  const checked = isSkipped && !worker.isProven
    ? { ...commands, commands: [], builds: [] }
    : commands;
  return await fleet.run(undefined, {
    commands: checked,
    only: worker,
    onDone: (outcome) => {
      if (outcome.status === "survived") prove(worker);
      onDone(outcome);
    },
  });
}

/** The workers that take part now; hosts that come up later are checked when they do. */
function ready({ desk }: Session): readonly Worker[] {
  const up = desk.usable.filter(({ isUp }) => isUp);
  return up.length > 0 ? up : desk.usable;
}

function prove(worker: Worker): void {
  worker.isProven = true;
  worker.isDoubted = false;
}

async function runEverywhere(
  session: Session,
  fleet: Fleet,
  signal: AbortSignal,
): Promise<readonly CommandsOutcome[]> {
  await build(session, fleet, signal);
  const all = await onEach(ready(session), async (worker) => {
    const folder = `baseline-${worker.index}`;
    const commands = commandsOptions(session, {
      folder,
      signal,
      budgetOf: baselineBudget(session),
    });
    return await fleet.run(undefined, {
      commands,
      only: worker,
      onDone: ({ status }) => status === "survived" && prove(worker),
    });
  });
  for (const outcome of all) await assertGreen(session, outcome);
  return all;
}

/** Runs the builds alone and keeps what they leave, so that variants need only build what changed. */
async function build(session: Session, fleet: Fleet, signal: AbortSignal): Promise<void> {
  const { builds } = session.request;
  if (builds.length === 0) return;
  const workers = session.provider.warmth === "shared"
    ? session.desk.usable.slice(0, 1)
    : ready(session);
  const all = await onEach(workers, (worker) => buildOn(session, fleet, worker, signal));
  for (const outcome of all) await assertGreen(session, outcome);
}

async function buildOn(
  session: Session,
  fleet: Fleet,
  worker: Worker,
  signal: AbortSignal,
): Promise<CommandsOutcome> {
  const commands: CommandsOptions = {
    ...commandsOptions(session, {
      folder: `build-${worker.index}`,
      signal,
      budgetOf: baselineBudget(session),
    }),
    commands: [],
  };
  return await fleet.run(undefined, { commands, only: worker, freeze: true });
}

async function skip(session: Session, fleet: Fleet, signal: AbortSignal): Promise<Baseline> {
  const { request } = session;
  const workers = ready(session);
  await build(session, fleet, signal);
  for (const worker of workers) prove(worker);
  const steps = [...request.builds, ...request.commands];
  const unmeasured = steps.filter((command) => explicitBudget(command, request) === undefined);
  if (unmeasured.length > 0) {
    report(session, {
      type: "warning",
      message: `The baseline was skipped and no timeout was given: each command may run for ${
        UNMEASURED_BUDGET_MS / 1000
      } s`,
    });
  }
  const commands = steps.map((command) => ({
    name: command.name,
    durationMs: UNMEASURED_BUDGET_MS / Math.max(1, request.timeoutMultiplier),
    timeoutMs: explicitBudget(command, request) ?? UNMEASURED_BUDGET_MS,
  }));
  return await keep(session, { skipped: true, commands, tests: "unknown" });
}

async function keep(session: Session, row: BaselineRow): Promise<Baseline> {
  await session.records.write(collections.campaign(session.campaign), "baseline", row);
  restoreBaseline(session, row);
  return {
    timeoutMs: Object.fromEntries(row.commands.map(({ name, timeoutMs }) => [name, timeoutMs])),
    durationMs: row.skipped ? 0 : row.commands.reduce((sum, each) => sum + each.durationMs, 0),
  };
}

function baselineBudget({ request }: Session): (command: ProjectCommand) => number {
  return (command) => explicitBudget(command, request) ?? BASELINE_BUDGET_MS;
}

async function assertGreen(session: Session, outcome: CommandsOutcome): Promise<void> {
  if (outcome.status === "survived") return;
  if (outcome.status === "lost") {
    throw outcome.failure ?? failure("sidecar-lost", "The sandbox was lost.", "sidecar-lost");
  }
  const { command, exitCode, stdout, stderr, status, reason } = outcome;
  const message = outcome.message ?? `${command} fails on the unpatched payload (exit ${exitCode})`;
  const row: BaselineRow = {
    skipped: false,
    commands: Object.entries(outcome.ran).map(([name, durationMs]) => ({
      name,
      durationMs,
      timeoutMs: 0,
    })),
    tests: outcome.tests,
    failure: { command: command ?? "", exit_code: exitCode, stdout, stderr, message },
  };
  await session.records.write(collections.campaign(session.campaign), "baseline", row);
  const code = reason ?? (status === "timeout" ? "timeout" : "baseline-failed");
  throw failure(code, message, "permanent");
}

/**
 * Waits for all before it fails, so that nothing runs on when the port has answered. What was lost on
 * a sidecar that is given up since is no answer, as long as another one has answered.
 */
async function onEach(
  workers: readonly Worker[],
  run: (worker: Worker) => Promise<CommandsOutcome>,
): Promise<CommandsOutcome[]> {
  const settled = await Promise.allSettled(workers.map(run));
  const answers = settled.flatMap((each, index) => {
    const { isRetired = false } = workers[index] ?? {};
    const isLost = each.status === "rejected" || each.value.status === "lost";
    return isLost && isRetired ? [] : [each];
  });
  return (answers.length > 0 ? answers : settled).map((each) => {
    if (each.status === "rejected") throw each.reason;
    return each.value;
  });
}

function failure(code: string, message: string, kind: Failure["class"]): Failure {
  return { code, message, class: kind };
}
