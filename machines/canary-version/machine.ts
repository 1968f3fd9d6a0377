import { assign, emit, setup } from "xstate";
import {
  type CanaryVersionContext,
  causeOf,
  contextFrom,
  isThisTrial,
  outputOf,
} from "./context.ts";
import type {
  CanaryVersionAnnouncement,
  CanaryVersionEmitted,
  CanaryVersionEvent,
  CanaryVersionInput,
  CanaryVersionOutput,
  CanaryVersionStatus,
  Cause,
  Decision,
} from "./events.ts";

interface Move {
  readonly type: CanaryVersionAnnouncement;
  readonly from: CanaryVersionStatus | null;
  readonly to: CanaryVersionStatus;
}

/** The trial that an event is meant for. */
interface Meant {
  readonly trial: number | undefined;
}

const base = setup({
  types: {
    context: {} as CanaryVersionContext,
    events: {} as CanaryVersionEvent,
    input: {} as CanaryVersionInput,
    output: {} as CanaryVersionOutput,
    emitted: {} as CanaryVersionEmitted,
  },
  delays: {
    expiry: ({ context }) => context.expireMs,
    watch: ({ context }) => context.watchMs,
  },
  guards: {
    mayStart: ({ context }) => !context.first,
    isMeant: ({ context }, params: Meant) => isThisTrial(context, params.trial),
    decides: ({ context }, params: Meant & { verdict: Decision; wanted: Decision }) =>
      isThisTrial(context, params.trial) && params.verdict === params.wanted,
    mustWait: ({ context }, params: Meant & { verdict: Decision }) =>
      isThisTrial(context, params.trial) && params.verdict === "promote" &&
      context.held?.blocks === true,
    mayHold: ({ context }, params: Meant) =>
      isThisTrial(context, params.trial) && context.held?.blocks !== true,
    hasWaited: ({ context }, params: Meant) =>
      isThisTrial(context, params.trial) && context.waiting !== null,
    shelvesExpired: ({ context }, params: Meant) =>
      isThisTrial(context, params.trial) && context.onExpire === "shelve",
    shelvesSuperseded: ({ context }, params: Meant) =>
      isThisTrial(context, params.trial) && context.onSupersede === "shelve",
    isWatched: ({ context }) => context.watchMs > 0 && !context.first,
  },
  actions: {
    note: assign(({ context }, params: { cause: Cause; to: CanaryVersionStatus }) => ({
      cause: params.cause,
      end: params.to === "rejected" || params.to === "superseded" ? params.to : null,
      held: params.to === "canary" ? context.held : null,
      waiting: params.to === "canary" ? context.waiting : null,
    })),
    begin: assign({ trial: ({ context }) => context.trial + 1, held: null, waiting: null }),
    hold: assign({ held: (_, params: Cause & { blocks: boolean }) => params }),
    release: assign({ held: null, waiting: null }),
    wait: assign({ waiting: ({ context }, params: Cause) => context.waiting ?? params }),
    /** With the cause that was noted just before. */
    announce: emit(({ context }, params: Move): CanaryVersionEmitted => ({
      ...params,
      ...context.cause,
      stream: context.stream,
      version: context.version,
      trial: context.trial,
    })),
  },
});

type Told = { context: CanaryVersionContext; event: { readonly type: string } };
type Of<Type extends CanaryVersionEvent["type"]> = {
  event: Extract<CanaryVersionEvent, { type: Type }>;
};
type Aimed = { event: CanaryVersionEvent };

const meant = ({ event }: Aimed): Meant => ({ trial: event.trial });
const isMeant = { type: "isMeant" as const, params: meant };
const decides = (wanted: Decision) => ({
  type: "decides" as const,
  params: ({ event }: Of<"DECIDE">) => ({ trial: event.trial, verdict: event.verdict, wanted }),
});

const because = (to: CanaryVersionStatus) => ({
  type: "note" as const,
  params: ({ context, event }: Told) => ({ cause: causeOf(context, event), to }),
});

const says = (
  from: CanaryVersionStatus | null,
  to: CanaryVersionStatus,
  type: CanaryVersionAnnouncement,
) => ({ type: "announce" as const, params: { type, from, to } });

const moves = (
  from: CanaryVersionStatus,
  to: CanaryVersionStatus,
  type: CanaryVersionAnnouncement,
) => [because(to), says(from, to, type)] as const;

/** A verdict that has waited for RESUME is the judge's own, not that of whoever resumes. */
const promotesAtLast = [
  {
    type: "note" as const,
    params: ({ context }: Told) => ({
      cause: context.waiting ?? context.cause,
      to: "current" as const,
    }),
  },
  says("canary", "current", "candidate.auto_promoted"),
] as const;

const hold = (blocks: boolean) => ({
  type: "hold" as const,
  params: ({ context, event }: Told) => ({ ...causeOf(context, event), blocks }),
});

/** Nobody waits for the promotion of a stream's first version: nothing is said of it. */
const published = base.enqueueActions(({ context, enqueue }) => {
  if (!context.first) enqueue(says(null, "pending", "candidate.awaiting_promotion"));
});

const expires = [
  {
    guard: { type: "shelvesExpired" as const, params: meant },
    target: "#pending",
    actions: moves("canary", "pending", "candidate.expired"),
  },
  {
    guard: isMeant,
    target: "#rejected",
    actions: moves("canary", "rejected", "candidate.expired"),
  },
] as const;

/**
 * The life of one version of a stream: `pending → canary → rejected | current → superseded`, and
 * `pending → current` for the first version and by a person's PROMOTE. By policy a canary that
 * expires or whose champion is replaced is pending again, in place of rejected.
 *
 * A person, a timer and the judge send the same events, and the first that ends it counts. The
 * machine knows nothing of the other versions: whoever promotes one delivers SUPERSEDE to the
 * version that was current, and to other canaries, in the same transaction. That goes for a RESUME
 * too while `context.waiting` is not `null`. There are no ports.
 */
export const canaryVersionMachine = base.createMachine({
  id: "canaryVersion",
  options: { maxIterations: 100 },
  context: ({ input }) => contextFrom(input),
  output: ({ context }) => outputOf(context),
  initial: "pending",
  entry: published,
  states: {
    pending: {
      id: "pending",
      on: {
        START: {
          guard: "mayStart",
          target: "canary",
          actions: ["begin", ...moves("pending", "canary", "candidate.canary_started")],
        },
        PROMOTE: {
          guard: isMeant,
          target: "current",
          actions: moves("pending", "current", "candidate.promoted"),
        },
        REJECT: {
          guard: isMeant,
          target: "rejected",
          actions: moves("pending", "rejected", "candidate.rejected"),
        },
      },
    },
    canary: {
      initial: "sampling",
      after: { expiry: expires },
      on: {
        DECIDE: [
          {
            guard: decides("reject"),
            target: "rejected",
            actions: moves("canary", "rejected", "candidate.rolled_back"),
          },
          {
            guard: decides("promote"),
            target: "current",
            actions: moves("canary", "current", "candidate.auto_promoted"),
          },
        ],
        PROMOTE: {
          guard: isMeant,
          target: "current",
          actions: moves("canary", "current", "candidate.promoted"),
        },
        REJECT: {
          guard: isMeant,
          target: "rejected",
          actions: moves("canary", "rejected", "candidate.rejected"),
        },
        EXPIRE: expires,
        SUPERSEDE: [
          {
            guard: { type: "shelvesSuperseded", params: meant },
            target: "pending",
            actions: moves("canary", "pending", "candidate.awaiting_promotion"),
          },
          {
            guard: isMeant,
            target: "rejected",
            actions: moves("canary", "rejected", "candidate.rejected"),
          },
        ],
      },
      states: {
        sampling: {
          on: {
            HOLD: {
              guard: isMeant,
              target: "held",
              actions: [hold(true), ...moves("canary", "canary", "candidate.held")],
            },
            DECIDE: {
              guard: decides("hold"),
              target: "held",
              actions: [hold(false), ...moves("canary", "canary", "candidate.held")],
            },
          },
        },
        held: {
          on: {
            HOLD: {
              guard: { type: "mayHold", params: meant },
              actions: [hold(true), ...moves("canary", "canary", "candidate.held")],
            },
            DECIDE: {
              guard: {
                type: "mustWait",
                params: ({ event }) => ({ trial: event.trial, verdict: event.verdict }),
              },
              actions: {
                type: "wait",
                params: ({ context, event }) => causeOf(context, event),
              },
            },
            RESUME: [
              {
                guard: { type: "hasWaited", params: meant },
                target: "#current",
                actions: promotesAtLast,
              },
              {
                guard: isMeant,
                target: "sampling",
                actions: ["release", ...moves("canary", "canary", "candidate.resumed")],
              },
            ],
          },
        },
      },
    },
    current: {
      id: "current",
      initial: "entering",
      on: {
        SUPERSEDE: {
          guard: isMeant,
          target: "superseded",
          actions: moves("current", "superseded", "candidate.superseded"),
        },
      },
      states: {
        entering: { always: [{ guard: "isWatched", target: "watching" }, { target: "settled" }] },
        watching: {
          after: {
            watch: {
              target: "settled",
              actions: moves("current", "current", "candidate.settled"),
            },
          },
          on: {
            REGRESS: {
              guard: isMeant,
              target: "regressed",
              actions: moves("current", "current", "candidate.regressed"),
            },
          },
        },
        settled: {},
        regressed: {},
      },
    },
    rejected: { id: "rejected", type: "final" },
    superseded: { type: "final" },
  },
});
