import { retryDefaults, retryDelay, type RetryPolicy } from "../backoff.ts";
import type { Failure } from "../failure.ts";
import type { PastFailure, VariantRunInput, VariantRunPhase } from "./events.ts";
import type { LeaseInput, SidecarWorkInput, TestInput } from "./ports.ts";
import type { TestOutcome, Verdict, VerdictStatus } from "./verdict.ts";

/** What a variant run remembers. */
export interface VariantRunContext {
  readonly campaign: string;
  readonly variant: string;
  readonly generation: number;
  readonly retry: RetryPolicy;
  readonly maxLosses: number;
  /** Whether a timeout is being confirmed. */
  readonly alone: boolean;
  /** Port calls so far: the number of the current or last one. */
  readonly attempt: number;
  /** Port calls in this visit of the phase. */
  readonly tries: number;
  /** Calls of the port `test`. */
  readonly runs: number;
  readonly losses: number;
  /** The lease that is held, or asked for (`sidecar` is `null` then). */
  readonly lease: { readonly attempt: number; readonly sidecar: string | null } | null;
  /** The sidecar of the last lease. */
  readonly sidecar: string | null;
  /** The payload's tree with the patch applied, once it is. */
  readonly tree: string | null;
  /** The last {@link historyLimit} failures, oldest first. */
  readonly history: readonly PastFailure[];
  readonly score: Score | null;
}

/** The deciding part of a verdict. */
export interface Score {
  readonly status: VerdictStatus;
  readonly reason: string | null;
  readonly command: string | null;
  readonly exitCode: number | null;
  readonly durationMs: number;
}

/** How many failures a run's context keeps. */
export const historyLimit = 5;

/** The context a run begins with. */
export function contextFrom(input: VariantRunInput): VariantRunContext {
  const { campaign, variant, generation = 1, retry = retryDefaults, maxLosses = 3 } = input;
  return {
    campaign,
    variant,
    generation,
    retry,
    maxLosses,
    alone: false,
    attempt: 0,
    tries: 0,
    runs: 0,
    losses: 0,
    lease: null,
    sidecar: null,
    tree: null,
    history: [],
    score: null,
  };
}

/** The history with one more failure. */
export function remember(
  context: VariantRunContext,
  phase: VariantRunPhase,
  failure: Failure,
): readonly PastFailure[] {
  const { attempt, history } = context;
  return [...history, { phase, attempt, failure }].slice(-historyLimit);
}

/** How long to wait after the last failure, in milliseconds: a function of the context alone. */
export function waitOf(context: VariantRunContext): number {
  const { campaign, variant, generation, attempt, retry, tries, history } = context;
  const failure = history.at(-1)?.failure ?? null;
  return retryDelay(retry, tries, failure, `${campaign}/${variant}~${generation}/${attempt}`);
}

/** A score without a measurement. */
export function unmeasured(status: "error" | "skipped", reason: string): Score {
  return { status, reason, command: null, exitCode: null, durationMs: 0 };
}

/** The score that a test outcome stands for. An error without a reason still gets one. */
export function measured(outcome: TestOutcome): Score {
  const { status, reason, command, exitCode, durationMs } = outcome;
  const given = status === "error" ? reason ?? "unexplained" : null;
  return { status, reason: given, command, exitCode, durationMs };
}

/** What the port `lease` is given. */
export function leaseInput(context: VariantRunContext): LeaseInput {
  const { campaign, variant, generation, attempt, alone } = context;
  return { campaign, variant, generation, attempt, alone };
}

/** What the ports `sync` and `patch` are given; they are only called with a lease. */
export function workInput(context: VariantRunContext): SidecarWorkInput {
  const { campaign, variant, generation, attempt, sidecar } = context;
  return { campaign, variant, generation, attempt, sidecar: sidecar ?? "" };
}

/** What the port `test` is given; it is only called with a lease and a patched tree. */
export function testInput(context: VariantRunContext): TestInput {
  const { tree, alone } = context;
  return { ...workInput(context), tree: tree ?? "", alone };
}

/** The output of a run that is scored. */
export function verdictOf(context: VariantRunContext): Verdict {
  const { score, sidecar, runs, losses } = context;
  return { ...(score ?? unmeasured("error", "unexpected")), sidecar, attempts: runs, losses };
}
