import type { ErrorActorEvent } from "xstate";
import { type Failure, toFailure } from "../failure.ts";
import {
  bootInput,
  connectionInput,
  contextFrom,
  destroyInput,
  outputOf,
  watchInput,
} from "./context.ts";
import type { AfterStartFailure } from "./decide.ts";
import type { DisconnectedEvent, LostEvent, SidecarPhase } from "./events.ts";
import { sidecarSetup } from "./setup.ts";

type PortFailed = { event: ErrorActorEvent };
type Told = { event: LostEvent | DisconnectedEvent };

const failureOf = ({ event }: PortFailed) => ({ failure: toFailure(event.error) });
const toldOf = ({ event }: Told) => ({ failure: event.failure });

const begin = (phase: SidecarPhase) => ({ type: "beginPhase" as const, params: { phase } });

const noteFailure = { type: "noteFailure" as const, params: failureOf };
const announceRetry = { type: "announceRetry" as const, params: failureOf };

const drained = { target: "#destroying", actions: "drain" } as const;

const waiting = sidecarSetup.createStateConfig({
  tags: "transient",
  after: { backoff: "attempting" },
});

/** Where a failure of `boot` or `sync` leads: nobody holds the sidecar yet. */
const startFailed = () => {
  const means = (next: AfterStartFailure) => ({
    type: "startFailureMeans" as const,
    params: (args: PortFailed) => ({ ...failureOf(args), next }),
  });
  return [
    { guard: means("retry"), target: "waiting", actions: [noteFailure, announceRetry] },
    { guard: means("restart"), target: "#lost", actions: noteFailure },
    {
      target: "#destroying",
      actions: [noteFailure, { type: "giveUp" as const, params: failureOf }],
    },
  ] as const;
};

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

/** Where a failed try to attach leads: whatever is not tried again is a loss. */
const attachFailed = <Args>(failedOf: (args: Args) => { failure: Failure }) => {
  const lossOf = (args: Args) => ({
    failure: { ...failedOf(args).failure, class: "sidecar-lost" as const },
  });
  return [
    {
      guard: { type: "mayReattach" as const, params: failedOf },
      target: "waiting",
      actions: [
        { type: "noteFailure" as const, params: failedOf },
        { type: "announceRetry" as const, params: failedOf },
      ],
    },
    ...whenLost(lossOf),
  ] as const;
};

/**
 * A place where commands run: `booting → syncing → up → draining → stopped`, and `lost → booting`
 * within the restart limit. In `up`, the lease (`ready ⇄ leased`) and the connection
 * (`attached ⇄ reattaching`) go their own ways. Run it with `provideSidecar`.
 */
export const sidecarMachine = sidecarSetup.createMachine({
  id: "sidecar",
  options: { maxIterations: 100 },
  context: ({ input }) => contextFrom(input),
  output: ({ context }) => outputOf(context),
  initial: "booting",
  states: {
    booting: {
      id: "booting",
      entry: begin("booting"),
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
              target: "#syncing",
              actions: { type: "takeEndpoint", params: ({ event }) => event.output },
            },
            onError: startFailed(),
          },
        },
        waiting,
      },
    },
    syncing: {
      id: "syncing",
      entry: begin("syncing"),
      initial: "attempting",
      on: { DRAIN: drained },
      states: {
        attempting: {
          entry: "beginAttempt",
          invoke: {
            id: "sync",
            src: "sync",
            input: ({ context }) => connectionInput(context),
            onDone: { target: "#up", actions: "forgetFailure" },
            onError: startFailed(),
          },
        },
        waiting,
      },
    },
    up: {
      id: "up",
      type: "parallel",
      invoke: {
        id: "watch",
        src: "watch",
        input: ({ context }) => watchInput(context),
        onError: whenLost(failureOf),
      },
      after: { quiet: { actions: "forgiveLosses" } },
      on: { LOST: whenLost(toldOf) },
      states: {
        lease: {
          initial: "ready",
          states: {
            ready: {
              on: {
                LEASE: {
                  guard: "isAttached",
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
        connection: {
          initial: "attached",
          states: {
            attached: {
              id: "attached",
              on: {
                DISCONNECTED: {
                  target: "reattaching",
                  actions: { type: "noteFailure", params: toldOf },
                },
              },
            },
            reattaching: {
              entry: begin("reattaching"),
              initial: "attempting",
              states: {
                attempting: {
                  entry: "beginAttempt",
                  invoke: {
                    id: "attach",
                    src: "attach",
                    input: ({ context }) => connectionInput(context),
                    onDone: { target: "#attached", actions: "forgetFailure" },
                    onError: attachFailed(failureOf),
                  },
                  // The connection that this try has made is lost before the try says so.
                  on: { DISCONNECTED: attachFailed(toldOf) },
                },
                waiting,
              },
            },
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
              actions: [
                { type: "noteFailure", params: toldOf },
                { type: "announceLoss", params: toldOf },
              ],
            },
          },
        },
        destroying: {
          id: "destroying",
          entry: ["release", begin("draining")],
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
                    actions: [noteFailure, announceRetry],
                  },
                  { target: "#stopped", actions: noteFailure },
                ],
              },
            },
            waiting,
          },
        },
      },
    },
    stopped: { id: "stopped", type: "final" },
  },
});
