import { fromPromise } from "xstate";
import type { Failure } from "../../machines/failure.ts";
import type { TestInput, VariantRunPorts } from "../../machines/variant-run/ports.ts";
import type { TestOutcome } from "../../machines/variant-run/verdict.ts";
import { isSidecanaryError, SidecanaryError } from "../errors.ts";
import { workFailure } from "../sidecars/host-failed.ts";
import { leaseName, type RunKey, runRowKey } from "./campaign-ids.ts";
import { sidecarName } from "./campaign-report.ts";
import type { Held } from "./lease-desk.ts";
import { type CommandsOutcome, runCommands } from "./run-commands.ts";
import {
  changeFor,
  collections,
  commandsOptions,
  forgetChange,
  logFolder,
  plannedRun,
  report,
  type Session,
} from "./session.ts";
import { failureSignature } from "./signature.ts";

/** What is kept of the commands that decided on a variant. */
export interface OutputRow {
  readonly attempt: number;
  readonly command: string | null;
  readonly phase: "build" | "test" | null;
  readonly message: string | null;
  readonly stdout: string;
  readonly stderr: string;
  readonly tests: CommandsOutcome["tests"];
  readonly signature: string;
  readonly logs: CommandsOutcome["logs"] | null;
}

/** Leases of variant runs in this process, by run. */
type Leases = Map<string, { readonly attempt: number | undefined; readonly held: Held }>;

/** The ports of the variant run machine over the campaign's desk. */
export function variantRunPorts(
  sessionOf: (campaign: string) => Session,
  hooks: {
    /** A run asks for a lease. */
    readonly onAsked: (variant: string) => void;
    /** Too many verdicts of a worker look the same. */
    readonly onDoubt: (held: Held) => void;
    /** Whether a campaign is the one that this process runs. */
    readonly isCurrent: (campaign: string) => boolean;
  },
): VariantRunPorts {
  const leases: Leases = new Map();
  const lastWorker = new Map<string, string>();
  return {
    lease: fromPromise(async ({ input, signal }) => {
      const session = sessionOf(input.campaign);
      const key = keyOf(input);
      report(session, { type: "state", variant: key.variant, worker: null, state: "booting" });
      // Read while it waits; whoever needs it hears of a failure.
      changeFor(session, key).catch(() => {});
      const asked = session.desk.acquire({
        by: leaseName(session.campaign, key, input.attempt),
        alone: input.alone,
        avoid: input.alone ? undefined : lastWorker.get(key.variant),
        signal,
      });
      hooks.onAsked(key.variant);
      const held = await asked;
      leases.set(runRowKey(key), { attempt: input.attempt, held });
      lastWorker.set(key.variant, held.worker.id);
      return { sidecar: held.worker.id };
    }),

    // A sidecar that is up has the payload: its own actor brought it there.
    sync: fromPromise(async ({ input, signal }) => {
      const session = sessionOf(input.campaign);
      const key = keyOf(input);
      const worker = sidecarName(session.provider.kind, input.sidecar);
      report(session, { type: "state", variant: key.variant, worker, state: "syncing" });
      const held = leases.get(runRowKey(key))?.held;
      if (held?.worker.sidecar === undefined) return;
      await session.desk.connected(held, held.worker.sidecar, signal);
    }),

    patch: fromPromise(async ({ input, signal }) => {
      const session = sessionOf(input.campaign);
      const key = keyOf(input);
      const worker = sidecarName(session.provider.kind, input.sidecar);
      report(session, { type: "state", variant: key.variant, worker, state: "patching" });
      const lease = leases.get(runRowKey(key));
      if (lease?.held.worker.id === input.sidecar) {
        await open(session, key, lease.held, signal);
      }
      return { tree: plannedRun(session, key.variant).tree };
    }),

    test: fromPromise(async ({ input, signal }) => {
      const session = sessionOf(input.campaign);
      const key = keyOf(input);
      const known = leases.get(runRowKey(key));
      // Another process began this: its sandbox has ended with it, and is made again here.
      const held = known?.held ?? await rejoin(session, input, signal);
      if (known === undefined) leases.set(runRowKey(key), { attempt: undefined, held });
      await open(session, key, held, signal);
      return await test(session, input, { held, signal, onDoubt: hooks.onDoubt });
    }),

    release: ({ campaign, variant, generation, attempt }) => {
      // What an older campaign held has ended with its process.
      if (!hooks.isCurrent(campaign)) return;
      const session = sessionOf(campaign);
      const key = { variant, generation };
      const lease = leases.get(runRowKey(key));
      if (lease === undefined) return;
      if (lease.attempt !== undefined && lease.attempt !== attempt) return;
      leases.delete(runRowKey(key));
      forgetChange(session, key);
      session.desk.release(lease.held.by);
    },
  };
}

async function rejoin(session: Session, input: TestInput, signal: AbortSignal): Promise<Held> {
  const only = session.desk.workers.find((each) => each.id === input.sidecar);
  if (only === undefined) throw lost("The sidecar is not part of the campaign any more.");
  const by = leaseName(session.campaign, keyOf(input), input.attempt);
  return await session.desk.acquire({ by, alone: input.alone, only, signal });
}

async function open(
  session: Session,
  key: RunKey,
  held: Held,
  signal: AbortSignal,
): Promise<void> {
  if (held.sandbox !== undefined) return;
  const { sidecar } = held.worker;
  if (sidecar === undefined) throw lost("The sidecar is gone.");
  const change = await changeFor(session, key);
  await session.desk.connected(held, sidecar, signal);
  try {
    held.sandbox = await sidecar.open(change, signal);
  } catch (error) {
    signal.throwIfAborted();
    if (isSidecanaryError(error, "host-failed")) throw workFailure(error);
    throw lost(error instanceof SidecanaryError ? error.message : String(error));
  }
}

async function test(
  session: Session,
  input: TestInput,
  run: {
    readonly held: Held;
    readonly signal: AbortSignal;
    readonly onDoubt: (held: Held) => void;
  },
): Promise<TestOutcome> {
  const { held, signal } = run;
  const { sandbox, worker } = held;
  const key = keyOf(input);
  const planned = plannedRun(session, key.variant);
  if (sandbox === undefined) throw lost("The sandbox is gone.");
  const { timeout } = planned.variant;
  const folder = logFolder(planned, `run-${key.generation}-${input.attempt}`);
  const commands = commandsOptions(session, {
    folder,
    signal,
    factor: input.alone ? 2 : 1,
    timeoutMs: timeout === undefined ? undefined : timeout * 1000,
    onCommand: ({ name }) =>
      report(session, {
        type: "state",
        variant: key.variant,
        worker: sidecarName(session.provider.kind, worker.id),
        state: "testing",
        command: name,
      }),
  });
  if (worker.sidecar !== undefined) await session.desk.connected(held, worker.sidecar, signal);
  const ran = await runCommands(sandbox, commands);
  // Its connection is gone and the sandbox is not: the next attempt goes on there.
  const isDetached = ran.status === "lost" && ran.failure?.class === "transient";
  if (!isDetached) {
    session.desk.close(held);
    session.metrics.commandMs += ran.durationMs;
  }
  signal.throwIfAborted();
  if (ran.status === "lost") {
    const failure = ran.failure ?? lost("The sandbox was lost.");
    report(session, { type: "retry", what: key.variant, message: failure.message });
    throw failure;
  }
  const outcome = outcomeOf(ran, input.alone);
  const signature = failureSignature({ ...ran, command: `${outcome.status} ${ran.command}` });
  const row: OutputRow = {
    attempt: input.attempt,
    command: ran.command,
    phase: ran.phase,
    message: ran.message,
    stdout: ran.stdout,
    stderr: ran.stderr,
    tests: ran.tests,
    signature,
    logs: ran.logs ?? null,
  };
  await session.records.write(collections.outputs(session.campaign), runRowKey(key), row);
  if (outcome.status !== "timeout" || input.alone) {
    worker.health.note({ key, status: outcome.status, signature });
    if (worker.health.isSuspicious) run.onDoubt(held);
  }
  return outcome;
}

function outcomeOf(ran: CommandsOutcome, alone: boolean): TestOutcome {
  const { command, exitCode, durationMs } = ran;
  const base = { command, exitCode, durationMs };
  if (ran.status === "timeout" && ran.phase === "build" && alone) {
    return { ...base, status: "error", reason: "build-failed" };
  }
  const status = ran.status === "lost" ? "error" : ran.status;
  return { ...base, status, reason: ran.reason };
}

function keyOf({ variant, generation }: RunKey): RunKey {
  return { variant, generation };
}

function lost(message: string): Failure {
  return { code: "sidecar-lost", message, class: "sidecar-lost" };
}
