import { assign, emit, type ErrorActorEvent, type EventObject, setup } from "xstate";
import { type Failure, reasonOf, toFailure } from "../failure.ts";
import { callbackPort, promisePort } from "../ports.ts";
import type { VerdictStatus } from "../variant-run/verdict.ts";
import {
  type CampaignContext,
  closeInput,
  contextFrom,
  outputOf,
  poolInput,
  waitOf,
  workInput,
} from "./context.ts";
import {
  type CampaignPhase,
  endAfter,
  mayRetry,
  withoutVerdict,
  withTally,
  withVerdict,
} from "./decide.ts";
import type {
  CampaignEmitted,
  CampaignEnd,
  CampaignEvent,
  CampaignInput,
  CampaignOutput,
  StatusCounts,
} from "./events.ts";
import type {
  Baseline,
  CampaignWorkInput,
  Closed,
  CloseInput,
  PoolInput,
  Preflight,
} from "./ports.ts";

const base = setup({
  types: {
    context: {} as CampaignContext,
    events: {} as CampaignEvent,
    input: {} as CampaignInput,
    output: {} as CampaignOutput,
    emitted: {} as CampaignEmitted,
    tags: {} as "transient",
  },
  actors: {
    preflight: promisePort<Preflight, CampaignWorkInput>("campaign.preflight"),
    baseline: promisePort<Baseline, CampaignWorkInput>("campaign.baseline"),
    pool: callbackPort<EventObject, PoolInput>("campaign.pool"),
    close: promisePort<Closed, CloseInput>("campaign.close"),
  },
  delays: { backoff: ({ context }) => waitOf(context) },
  guards: {
    mayRetry: ({ context }, params: { failure: Failure }) =>
      mayRetry(params.failure, context.retry, context.tries),
    nothingPlanned: (_, params: Preflight) => params.planned === 0,
    isVoid: ({ context }, params: Closed) => params.void && context.end === "complete",
    endsAs: ({ context }, params: { end: CampaignEnd }) => context.end === params.end,
  },
  actions: {
    beginPhase: assign({ tries: 0 }),
    beginAttempt: assign({
      attempt: ({ context }) => context.attempt + 1,
      tries: ({ context }) => context.tries + 1,
    }),
    plan: assign({
      counts: (_, { planned, rejected }: Preflight) =>
        withTally({ planned, ...rejected, revoked: 0 }, rejected, 0),
    }),
    takeBaseline: assign({ baseline: (_, params: Baseline) => params }),
    tally: assign({
      counts: ({ context }, params: { counts: StatusCounts; revoked: number }) =>
        withTally(context.counts, params.counts, params.revoked),
    }),
    addVerdict: assign({
      counts: ({ context }, params: { status: VerdictStatus }) =>
        withVerdict(context.counts, params.status),
    }),
    takeVerdictBack: assign({
      counts: ({ context }, params: { status: VerdictStatus }) =>
        withoutVerdict(context.counts, params.status),
    }),
    noteFailure: assign({ failure: (_, params: { failure: Failure }) => params.failure }),
    endWith: assign((_, params: { end: CampaignEnd; reason: string }) => params),
    announceRetry: emit(
      ({ context }, params: { phase: CampaignPhase; failure: Failure }): CampaignEmitted => ({
        type: "RETRYING",
        campaign: context.campaign,
        phase: params.phase,
        attempt: context.attempt,
        tries: context.tries,
        failure: params.failure,
        delayMs: waitOf(context),
      }),
    ),
  },
});

type PortFailed = { event: ErrorActorEvent };
type Of<Type extends CampaignEvent["type"]> = { event: Extract<CampaignEvent, { type: Type }> };

const failureOf = ({ event }: PortFailed) => ({ failure: toFailure(event.error) });
const noteFailure = { type: "noteFailure" as const, params: failureOf };

const retryOf = (phase: CampaignPhase) => ({
  guard: { type: "mayRetry" as const, params: failureOf },
  target: "waiting",
  actions: [noteFailure, {
    type: "announceRetry" as const,
    params: (args: PortFailed) => ({ phase, ...failureOf(args) }),
  }],
});

const giveUp = (phase: CampaignPhase) => ({
  type: "endWith" as const,
  params: (args: PortFailed) => {
    const { failure } = failureOf(args);
    return { end: endAfter(phase, failure), reason: reasonOf(failure) };
  },
});

const whenFailed = (phase: CampaignPhase) => [
  retryOf(phase),
  { target: "#closing", actions: [noteFailure, giveUp(phase)] },
];

const cancelled = {
  target: "#closing",
  actions: {
    type: "endWith" as const,
    params: ({ event }: Of<"CANCEL">) => ({ end: "cancelled" as const, reason: event.reason }),
  },
};

const waiting = base.createStateConfig({ tags: "transient", after: { backoff: "attempting" } });

/**
 * One run of a variants file: `preflight → baseline → running → closing → finished`. Every path goes
 * through `closing`, where things are cleaned up. Run it with `provideCampaign`.
 */
export const campaignMachine = base.createMachine({
  id: "campaign",
  options: { maxIterations: 100 },
  context: ({ input }) => contextFrom(input),
  output: ({ context }) => outputOf(context),
  initial: "preflight",
  states: {
    preflight: {
      entry: "beginPhase",
      initial: "attempting",
      on: { CANCEL: cancelled },
      states: {
        attempting: {
          entry: "beginAttempt",
          invoke: {
            id: "preflight",
            src: "preflight",
            input: ({ context }) => workInput(context),
            onDone: [
              {
                guard: { type: "nothingPlanned", params: ({ event }) => event.output },
                target: "#closing",
                actions: { type: "plan", params: ({ event }) => event.output },
              },
              {
                target: "#baseline",
                actions: { type: "plan", params: ({ event }) => event.output },
              },
            ],
            onError: whenFailed("preflight"),
          },
        },
        waiting,
      },
    },
    baseline: {
      id: "baseline",
      entry: "beginPhase",
      initial: "attempting",
      on: { CANCEL: cancelled },
      states: {
        attempting: {
          entry: "beginAttempt",
          invoke: {
            id: "baseline",
            src: "baseline",
            input: ({ context }) => workInput(context),
            onDone: {
              target: "#running",
              actions: { type: "takeBaseline", params: ({ event }) => event.output },
            },
            onError: whenFailed("baseline"),
          },
        },
        waiting,
      },
    },
    running: {
      id: "running",
      invoke: {
        id: "pool",
        src: "pool",
        input: ({ context }) => poolInput(context),
        onError: {
          target: "#closing",
          actions: [noteFailure, {
            type: "endWith",
            params: (args) => ({ end: "failed", reason: reasonOf(failureOf(args).failure) }),
          }],
        },
      },
      on: {
        CANCEL: cancelled,
        TALLY: { actions: { type: "tally", params: ({ event }) => event } },
        VERDICT: { actions: { type: "addVerdict", params: ({ event }) => event } },
        REVOKED: { actions: { type: "takeVerdictBack", params: ({ event }) => event } },
        POOL_DONE: "#closing",
        POOL_FAILED: {
          target: "#closing",
          actions: [
            { type: "noteFailure", params: ({ event }) => ({ failure: event.failure }) },
            {
              type: "endWith",
              params: ({ event }) => ({ end: "failed", reason: reasonOf(event.failure) }),
            },
          ],
        },
      },
    },
    closing: {
      id: "closing",
      entry: "beginPhase",
      initial: "attempting",
      on: {
        // Only the controls of a complete run can be cut short; a clean-up goes on to its end.
        CANCEL: {
          guard: { type: "endsAs", params: { end: "complete" } },
          reenter: true,
          ...cancelled,
        },
      },
      states: {
        attempting: {
          entry: "beginAttempt",
          invoke: {
            id: "close",
            src: "close",
            input: ({ context }) => closeInput(context),
            onDone: [
              {
                guard: {
                  type: "isVoid",
                  params: ({ event }) => event.output,
                },
                target: "#finished",
                actions: {
                  type: "endWith",
                  params: ({ event }) => ({
                    end: "void",
                    reason: event.output.reason ?? "unexplained",
                  }),
                },
              },
              { target: "#finished" },
            ],
            onError: [
              retryOf("closing"),
              {
                guard: { type: "endsAs", params: { end: "complete" } },
                target: "#finished",
                actions: [noteFailure, giveUp("closing")],
              },
              { target: "#finished", actions: noteFailure },
            ],
          },
        },
        waiting,
      },
    },
    finished: { id: "finished", type: "final" },
  },
});
