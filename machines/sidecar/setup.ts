import { assign, emit, type EventObject, setup, stateIn } from "xstate";
import { type Failure, reasonOf } from "../failure.ts";
import { callbackPort, promisePort } from "../ports.ts";
import { policyOf, restartWaitOf, type SidecarContext, waitOf } from "./context.ts";
import {
  type AfterStartFailure,
  afterStartFailure,
  mayReattach,
  mayRestart,
  mayRetryDestroy,
} from "./decide.ts";
import type {
  SidecarEmitted,
  SidecarEvent,
  SidecarInput,
  SidecarOutput,
  SidecarPhase,
} from "./events.ts";
import type {
  AttachInput,
  Booted,
  BootInput,
  DestroyInput,
  SyncInput,
  WatchInput,
} from "./ports.ts";

/** The types, ports, delays, guards and actions of the sidecar machine. */
export const sidecarSetup = setup({
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
    sync: promisePort<void, SyncInput>("sidecar.sync"),
    watch: callbackPort<EventObject, WatchInput>("sidecar.watch"),
    attach: promisePort<void, AttachInput>("sidecar.attach"),
    destroy: promisePort<void, DestroyInput>("sidecar.destroy"),
  },
  delays: {
    backoff: ({ context }) => waitOf(context),
    restart: ({ context }) => restartWaitOf(context),
    quiet: ({ context }) => context.quietMs,
    grace: ({ context }) => context.graceMs,
  },
  guards: {
    startFailureMeans: ({ context }, params: { failure: Failure; next: AfterStartFailure }) =>
      afterStartFailure(params.failure, policyOf(context), context) === params.next,
    mayReattach: ({ context }, params: { failure: Failure }) =>
      mayReattach(params.failure, policyOf(context), context),
    mayRetryDestroy: ({ context }, params: { failure: Failure }) =>
      mayRetryDestroy(params.failure, policyOf(context), context),
    mayRestart: ({ context }) => mayRestart(context),
    holds: ({ context }, params: { by: string }) => context.lease === params.by,
    isAttached: stateIn("#attached"),
  },
  actions: {
    beginPhase: assign((_, params: { phase: SidecarPhase }) => ({ phase: params.phase, tries: 0 })),
    beginAttempt: assign({
      attempt: ({ context }) => context.attempt + 1,
      tries: ({ context }) => context.tries + 1,
    }),
    takeEndpoint: assign({ endpoint: (_, params: Booted) => params.endpoint, failure: null }),
    forgetFailure: assign({ failure: null }),
    lease: assign({ lease: (_, params: { by: string }) => params.by }),
    release: assign({ lease: null }),
    noteFailure: assign({ failure: (_, params: { failure: Failure }) => params.failure }),
    /** What stands under the name from now on is another one: its endpoint is not known. */
    countRestart: assign({
      restarts: ({ context }) => context.restarts + 1,
      endpoint: null,
    }),
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
    announceRetry: emit(({ context }, params: { failure: Failure }): SidecarEmitted => ({
      type: "RETRYING",
      sidecar: context.sidecar,
      phase: context.phase,
      attempt: context.attempt,
      tries: context.tries,
      failure: params.failure,
      delayMs: waitOf(context),
    })),
  },
});
