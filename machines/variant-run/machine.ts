import { assign, emit, type ErrorActorEvent, setup } from "xstate";
import { type Failure, reasonOf, toFailure } from "../failure.ts";
import { promisePort } from "../ports.ts";
import {
  contextFrom,
  leaseInput,
  measured,
  remember,
  type Score,
  testInput,
  unmeasured,
  type VariantRunContext,
  verdictOf,
  waitOf,
  workInput,
} from "./context.ts";
import { type AfterFailure, afterFailure, mustConfirm } from "./decide.ts";
import type {
  VariantRunEmitted,
  VariantRunEvent,
  VariantRunInput,
  VariantRunPhase,
} from "./events.ts";
import type {
  Lease,
  LeaseInput,
  Patched,
  ReleaseParams,
  SidecarWorkInput,
  TestInput,
} from "./ports.ts";
import type { TestOutcome, Verdict } from "./verdict.ts";

const base = setup({
  types: {
    context: {} as VariantRunContext,
    events: {} as VariantRunEvent,
    input: {} as VariantRunInput,
    output: {} as Verdict,
    emitted: {} as VariantRunEmitted,
    tags: {} as "transient",
  },
  actors: {
    lease: promisePort<Lease, LeaseInput>("variantRun.lease"),
    sync: promisePort<void, SidecarWorkInput>("variantRun.sync"),
    patch: promisePort<Patched, SidecarWorkInput>("variantRun.patch"),
    test: promisePort<TestOutcome, TestInput>("variantRun.test"),
  },
  delays: { backoff: ({ context }) => waitOf(context) },
  guards: {
    failureMeans: ({ context }, params: { failure: Failure; next: AfterFailure }) =>
      afterFailure(params.failure, context) === params.next,
    leaseLost: (
      { context },
      params: { sidecar: string; failure: Failure; next: AfterFailure },
    ) =>
      context.lease?.sidecar === params.sidecar &&
      afterFailure(params.failure, context) === params.next,
    mustConfirm: ({ context }, params: { outcome: TestOutcome }) =>
      mustConfirm(params.outcome, context.alone),
  },
  actions: {
    /** Interpreted by the engine, provided by a host otherwise; {@link provideVariantRun}. */
    release: (_, _params: ReleaseParams) => {},
    beginPhase: assign({ tries: 0 }),
    beginAttempt: assign({
      attempt: ({ context }) => context.attempt + 1,
      tries: ({ context }) => context.tries + 1,
    }),
    askForLease: assign({ lease: ({ context }) => ({ attempt: context.attempt, sidecar: null }) }),
    countRun: assign({ runs: ({ context }) => context.runs + 1 }),
    takeLease: assign({
      lease: ({ context }, params: Lease) => ({
        attempt: context.attempt,
        sidecar: params.sidecar,
      }),
      sidecar: (_, params: Lease) => params.sidecar,
    }),
    takeTree: assign({ tree: (_, params: Patched) => params.tree }),
    confirmAlone: assign({ alone: true }),
    noteFailure: assign(({ context }, params: { phase: VariantRunPhase; failure: Failure }) => ({
      history: remember(context, params.phase, params.failure),
      losses: context.losses + (params.failure.class === "sidecar-lost" ? 1 : 0),
      lease: params.phase === "booting" ? null : context.lease,
    })),
    announceRetry: emit(
      ({ context }, params: { phase: VariantRunPhase; failure: Failure }): VariantRunEmitted => ({
        type: "RETRYING",
        campaign: context.campaign,
        variant: context.variant,
        phase: params.phase,
        attempt: context.attempt,
        tries: context.tries,
        failure: params.failure,
        delayMs: waitOf(context),
      }),
    ),
    score: assign({ score: (_, params: Score) => params }),
  },
});

const withRelease = base.extend({
  actions: {
    letGo: base.enqueueActions(({ context, enqueue }) => {
      if (context.lease === null) return;
      const { campaign, variant, generation, lease } = context;
      enqueue({ type: "release", params: { campaign, variant, generation, ...lease } });
      enqueue.assign({ lease: null });
    }),
  },
});

type PhaseFailure = { event: ErrorActorEvent };

/** Where the failure of a phase's port leads: the first guard that holds decides. */
const failureOf = <Phase extends VariantRunPhase>(phase: Phase) => {
  const means = (next: AfterFailure) => ({
    type: "failureMeans" as const,
    params: ({ event }: PhaseFailure) => ({ failure: toFailure(event.error), next }),
  });
  const at = ({ event }: PhaseFailure) => ({ phase, failure: toFailure(event.error) });
  const note = { type: "noteFailure" as const, params: at };
  return [
    {
      guard: means("retry"),
      target: "waiting",
      actions: [note, { type: "announceRetry" as const, params: at }],
    },
    { guard: means("rebook"), target: "#booting", actions: note },
    {
      target: "#scored",
      actions: [note, {
        type: "score" as const,
        params: ({ event }: PhaseFailure) => unmeasured("error", reasonOf(toFailure(event.error))),
      }],
    },
  ] as const;
};

const waiting = base.createStateConfig({
  tags: "transient",
  after: { backoff: "attempting" },
});

const cancelled = {
  target: "#scored",
  actions: {
    type: "score" as const,
    params: ({ event }: { event: Extract<VariantRunEvent, { type: "CANCEL" }> }) =>
      unmeasured("skipped", event.reason),
  },
};

/** The reaction of a phase to LOST: as if its port had failed so. */
const lostIn = (phase: VariantRunPhase) => {
  type Lost = { event: Extract<VariantRunEvent, { type: "LOST" }> };
  const failureIn = ({ event }: Lost): Failure => ({ ...event.failure, class: "sidecar-lost" });
  const note = {
    type: "noteFailure" as const,
    params: (args: Lost) => ({ phase, failure: failureIn(args) }),
  };
  const guard = (next: "rebook" | "give-up") => ({
    type: "leaseLost" as const,
    params: (args: Lost) => ({ sidecar: args.event.sidecar, failure: failureIn(args), next }),
  });
  return [
    { guard: guard("rebook"), target: "#booting", actions: note },
    {
      guard: guard("give-up"),
      target: "#scored",
      actions: [note, {
        type: "score" as const,
        params: () => unmeasured("error", "sidecar-lost"),
      }],
    },
  ] as const;
};

/**
 * One variant's life in a campaign: `booting → syncing → patching → testing → scored`. Its output is
 * the `Verdict`. Run it with `provideVariantRun`.
 */
export const variantRunMachine = withRelease.createMachine({
  id: "variantRun",
  options: { maxIterations: 100 },
  context: ({ input }) => contextFrom(input),
  output: ({ context }) => verdictOf(context),
  initial: "booting",
  states: {
    booting: {
      id: "booting",
      entry: ["letGo", "beginPhase"],
      initial: "attempting",
      on: { CANCEL: cancelled },
      states: {
        attempting: {
          entry: ["beginAttempt", "askForLease"],
          invoke: {
            id: "lease",
            src: "lease",
            input: ({ context }) => leaseInput(context),
            onDone: {
              target: "#syncing",
              actions: { type: "takeLease", params: ({ event }) => event.output },
            },
            onError: failureOf("booting"),
          },
        },
        waiting,
      },
    },
    syncing: {
      id: "syncing",
      entry: "beginPhase",
      initial: "attempting",
      on: { CANCEL: cancelled, LOST: lostIn("syncing") },
      states: {
        attempting: {
          entry: "beginAttempt",
          invoke: {
            id: "sync",
            src: "sync",
            input: ({ context }) => workInput(context),
            onDone: "#patching",
            onError: failureOf("syncing"),
          },
        },
        waiting,
      },
    },
    patching: {
      id: "patching",
      entry: "beginPhase",
      initial: "attempting",
      on: { CANCEL: cancelled, LOST: lostIn("patching") },
      states: {
        attempting: {
          entry: "beginAttempt",
          invoke: {
            id: "patch",
            src: "patch",
            input: ({ context }) => workInput(context),
            onDone: {
              target: "#testing",
              actions: { type: "takeTree", params: ({ event }) => event.output },
            },
            onError: failureOf("patching"),
          },
        },
        waiting,
      },
    },
    testing: {
      id: "testing",
      entry: "beginPhase",
      initial: "attempting",
      on: { CANCEL: cancelled, LOST: lostIn("testing") },
      states: {
        attempting: {
          entry: ["beginAttempt", "countRun"],
          invoke: {
            id: "test",
            src: "test",
            input: ({ context }) => testInput(context),
            onDone: [
              {
                guard: {
                  type: "mustConfirm",
                  params: ({ event }) => ({ outcome: event.output }),
                },
                target: "#booting",
                actions: "confirmAlone",
              },
              {
                target: "#scored",
                actions: { type: "score", params: ({ event }) => measured(event.output) },
              },
            ],
            onError: failureOf("testing"),
          },
        },
        waiting,
      },
    },
    scored: { id: "scored", type: "final", entry: "letGo" },
  },
});
