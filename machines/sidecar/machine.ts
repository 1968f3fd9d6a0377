import { assign, emit, type ErrorActorEvent, type EventObject, setup } from "xstate";
import { type Failure, reasonOf, toFailure } from "../failure.ts";
import { callbackPort, promisePort } from "../ports.ts";
import {
  bootInput,
  contextFrom,
  destroyInput,
  outputOf,
  policyOf,
  restartWaitOf,
  type SidecarContext,
  waitOf,
  watchInput,
} from "./context.ts";
import { type AfterBootFailure, afterBootFailure, mayRestart, mayRetryDestroy } from "./decide.ts";
import type {
  LostEvent,
  SidecarEmitted,
  SidecarEvent,
  SidecarInput,
  SidecarOutput,
} from "./events.ts";
import type { Booted, BootInput, DestroyInput, WatchInput } from "./ports.ts";

const base = setup({
  types: {
    context: {} as SidecarContext,
    events: {} as SidecarEvent,
    input: {} as SidecarInput,
    output: {} as SidecarOutput,
    emitted: {} as SidecarEmitted,
    tags: {} as "transient",
  },
  actors: {
    boot: promisePort<Booted, BootInput>("sidecar.boot"),
    watch: callbackPort<EventObject, WatchInput>("sidecar.watch"),
    destroy: promisePort<void, DestroyInput>("sidecar.destroy"),
  },
  delays: {
    backoff: ({ context }) => waitOf(context),
    restart: ({ context }) => restartWaitOf(context),
    quiet: ({ context }) => context.quietMs,
    grace: ({ context }) => context.graceMs,
  },
  guards: {
    bootFailureMeans: ({ context }, params: { failure: Failure; next: AfterBootFailure }) =>
      afterBootFailure(params.failure, context.retry, context) === params.next,
    mayRetryDestroy: ({ context }, params: { failure: Failure }) =>
      mayRetryDestroy(params.failure, policyOf(context), context),
    mayRestart: ({ context }) => mayRestart(context),
    holds: ({ context }, params: { by: string }) => context.lease === params.by,
  },
  actions: {
    beginPhase: assign({ tries: 0 }),
    beginAttempt: assign({
      attempt: ({ context }) => context.attempt + 1,
      tries: ({ context }) => context.tries + 1,
    }),
    attach: assign({ endpoint: (_, params: Booted) => params.endpoint, failure: null }),
    lease: assign({ lease: (_, params: { by: string }) => params.by }),
    release: assign({ lease: null }),
    noteFailure: assign({ failure: (_, params: { failure: Failure }) => params.failure }),
    countRestart: assign({ restarts: ({ context }) => context.restarts + 1 }),
    forgiveLosses: assign({ restarts: 0 }),
    drain: assign({ reason: "drained" }),
    giveUp: assign((_, params: { failure: Failure }) => ({
      reason: reasonOf(params.failure),
      cause: params.failure,
    })),
    noteDestroyed: assign({ destroyed: true, failure: null }),
    announceLoss: emit(({ context }, params: { failure: Failure }): SidecarEmitted => ({
      type: "SIDECAR_LOST",
      sidecar: context.sidecar,
      by: context.lease,
      failure: params.failure,
    })),
    announceRetry: emit((
      { context },
      params: { phase: "booting" | "draining"; failure: Failure },
    ): SidecarEmitted => ({
      type: "RETRYING",
      sidecar: context.sidecar,
      phase: params.phase,
      attempt: context.attempt,
      failure: params.failure,
      delayMs: waitOf(context),
    })),
  },
});

type PortFailed = { event: ErrorActorEvent };
type Lost = { event: LostEvent };

const failureOf = ({ event }: PortFailed) => ({ failure: toFailure(event.error) });
const lossOf = ({ event }: Lost) => ({ failure: event.failure });

const noteFailure = { type: "noteFailure" as const, params: failureOf };
const noteLoss = { type: "noteFailure" as const, params: lossOf };

/** Where a loss leads from `up`. A `watch` that breaks has lost the sidecar too. */
const whenLost = <Args>(lossOf: (args: Args) => { failure: Failure }) => {
  const note = { type: "noteFailure" as const, params: lossOf };
  const announce = { type: "announceLoss" as const, params: lossOf };
  const giveUp = { type: "giveUp" as const, params: lossOf };
  return [
    { guard: "mayRestart", target: "#lost", actions: [note, announce, "release"] },
    { target: "#destroying", actions: [note, announce, giveUp] },
  ] as const;
};

const drained = { target: "#destroying", actions: "drain" } as const;

const bootFailureMeans = (next: AfterBootFailure) => ({
  type: "bootFailureMeans" as const,
  params: (args: PortFailed) => ({ ...failureOf(args), next }),
});

/**
 * A place where commands run: `booting → up (ready ⇄ leased) → draining → stopped`, and
 * `lost → booting` within the restart limit. Run it with `provideSidecar`.
 */
export const sidecarMachine = base.createMachine({
  id: "sidecar",
  options: { maxIterations: 100 },
  context: ({ input }) => contextFrom(input),
  output: ({ context }) => outputOf(context),
  initial: "booting",
  states: {
    booting: {
      id: "booting",
      entry: "beginPhase",
      initial: "attempting",
      on: { DRAIN: drained },
      states: {
        attempting: {
          entry: "beginAttempt",
          invoke: {
            id: "boot",
            src: "boot",
            input: ({ context }) => bootInput(context),
            onDone: {
              target: "#up",
              actions: { type: "attach", params: ({ event }) => event.output },
            },
            onError: [
              {
                guard: bootFailureMeans("retry"),
                target: "waiting",
                actions: [noteFailure, {
                  type: "announceRetry",
                  params: (args: PortFailed) => ({ phase: "booting", ...failureOf(args) }),
                }],
              },
              { guard: bootFailureMeans("restart"), target: "#lost", actions: noteFailure },
              {
                target: "#destroying",
                actions: [noteFailure, { type: "giveUp", params: failureOf }],
              },
            ],
          },
        },
        waiting: { tags: "transient", after: { backoff: "attempting" } },
      },
    },
    up: {
      id: "up",
      invoke: {
        id: "watch",
        src: "watch",
        input: ({ context }) => watchInput(context),
        onError: whenLost(failureOf),
      },
      after: { quiet: { actions: "forgiveLosses" } },
      on: { LOST: whenLost(lossOf) },
      initial: "ready",
      states: {
        ready: {
          on: {
            LEASE: {
              target: "leased",
              actions: { type: "lease", params: ({ event }) => ({ by: event.by }) },
            },
            DRAIN: drained,
          },
        },
        leased: {
          on: {
            RELEASE: {
              guard: { type: "holds", params: ({ event }) => ({ by: event.by }) },
              target: "ready",
              actions: "release",
            },
            DRAIN: "#returning",
          },
        },
      },
    },
    lost: {
      id: "lost",
      tags: "transient",
      entry: "countRestart",
      after: { restart: "booting" },
      on: { DRAIN: drained },
    },
    draining: {
      initial: "destroying",
      states: {
        returning: {
          id: "returning",
          entry: "drain",
          invoke: {
            id: "watch",
            src: "watch",
            input: ({ context }) => watchInput(context),
            onError: {
              target: "#destroying",
              actions: [noteFailure, { type: "announceLoss", params: failureOf }],
            },
          },
          after: { grace: "#destroying" },
          on: {
            RELEASE: {
              guard: { type: "holds", params: ({ event }) => ({ by: event.by }) },
              target: "#destroying",
            },
            LOST: {
              target: "#destroying",
              actions: [noteLoss, { type: "announceLoss", params: lossOf }],
            },
          },
        },
        destroying: {
          id: "destroying",
          entry: ["release", "beginPhase"],
          initial: "attempting",
          states: {
            attempting: {
              entry: "beginAttempt",
              invoke: {
                id: "destroy",
                src: "destroy",
                input: ({ context }) => destroyInput(context),
                onDone: { target: "#stopped", actions: "noteDestroyed" },
                onError: [
                  {
                    guard: { type: "mayRetryDestroy", params: failureOf },
                    target: "waiting",
                    actions: [noteFailure, {
                      type: "announceRetry",
                      params: (args: PortFailed) => ({ phase: "draining", ...failureOf(args) }),
                    }],
                  },
                  { target: "#stopped", actions: noteFailure },
                ],
              },
            },
            waiting: { tags: "transient", after: { backoff: "attempting" } },
          },
        },
      },
    },
    stopped: { id: "stopped", type: "final" },
  },
});
