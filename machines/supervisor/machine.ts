import { cancel, setup } from "xstate";
import { type JsonValue, tellAction } from "../ports.ts";
import {
  contextFrom,
  decided,
  delayOf,
  ending,
  type Fall,
  isIgnored,
  isTooMany,
  staysDown,
  type SupervisorContext,
  toHalt,
} from "./decide.ts";
import type { SupervisorEvent, SupervisorInput, SupervisorOutput } from "./events.ts";

const base = setup({
  types: {
    context: {} as SupervisorContext,
    events: {} as SupervisorEvent,
    input: {} as SupervisorInput,
    output: {} as SupervisorOutput,
    tags: {} as "transient" | "terminal",
  },
  actions: { tell: tellAction },
  guards: {
    isIgnored: ({ context, event }) => isIgnored(context, fallOf(event)),
    staysDown: ({ context, event }) => staysDown(context, fallOf(event)),
    isTooMany: ({ context, event }) => isTooMany(context, fallOf(event)),
    waits: ({ context }) => context.backoff !== null,
  },
});

/** Runs every child from its beginning, in the order of their start. */
const startAll = base.enqueueActions(({ context, event, enqueue }) => {
  const { input } = event as unknown as { readonly input: SupervisorInput };
  if (input.childrenRun === true) return;
  for (const { id } of context.children) {
    enqueue({
      type: "tell",
      params: { to: id, event: { type: "sidecanary.restart", mode: "initial" } },
    });
  }
});

/** A child that is not run again must not wait for it for ever. */
const bury = base.enqueueActions(({ context, event, enqueue }) => {
  const { child, isOver } = fallOf(event);
  enqueue.assign({ gone: [...context.gone, child] });
  if (!isOver) enqueue({ type: "tell", params: ending(context, child) });
});

/** Suspends who must not run meanwhile, and counts the restart. */
const decide = base.enqueueActions(({ context, event, enqueue }) => {
  const fall = fallOf(event);
  for (const params of toHalt(context, fall)) enqueue({ type: "tell", params });
  enqueue.assign(({ context: now }) => decided(now, fall));
});

const arm = base.raise({ type: "RESTART" }, {
  id: "restart",
  delay: ({ context }) => delayOf(context),
});

const restartPending = base.enqueueActions(({ context, enqueue }) => {
  for (const { child, mode } of context.pending) {
    enqueue({
      type: "tell",
      params: { to: child, event: { type: "sidecanary.restart", mode } },
    });
  }
  enqueue.assign({ pending: [] });
});

const stopAll = base.enqueueActions(({ context, enqueue }) => {
  for (const { id } of [...context.children].reverse()) {
    enqueue({ type: "tell", params: ending(context, id) });
  }
});

const remember = base.assign({
  failure: ({ event }) => {
    const { child, error } = fallOf(event);
    return { child, error };
  },
  pending: [],
});

/** The first that applies decides what a child's end leads to. */
const falls = [
  { guard: "isIgnored" },
  { guard: "staysDown", actions: bury },
  { guard: "isTooMany", target: "escalated", actions: remember },
  { guard: "waits", target: "waiting", reenter: true, actions: decide },
  { target: "watching", actions: [decide, restartPending] },
] as const;

/**
 * Restarts its children when they crash, as an OTP supervisor does: by strategy, and no more often
 * than `intensity` times within `periodMs`. One restart too many stops all children, the last started
 * first, and ends it as `escalated`; a supervisor above it takes that for a crash.
 *
 * Children are actors of the engine and reached by `tell`; see `supervise()`.
 */
export const supervisorMachine = base.createMachine({
  id: "sidecanary.supervisor",
  options: { maxIterations: 100 },
  context: ({ input }) => contextFrom(input),
  entry: startAll,
  initial: "watching",
  on: { HALT: { target: ".halted" } },
  states: {
    watching: {
      on: { CHILD_CRASHED: falls, CHILD_DONE: falls },
    },
    waiting: {
      tags: "transient",
      entry: arm,
      exit: cancel("restart"),
      on: {
        CHILD_CRASHED: falls,
        CHILD_DONE: falls,
        RESTART: { target: "watching", actions: restartPending },
      },
    },
    halted: { type: "final", tags: "terminal", entry: stopAll },
    escalated: { type: "final", tags: "terminal", entry: stopAll },
  },
  output: ({ context: { failure } }) =>
    failure === null ? { end: "halted" } : { end: "escalated", ...failure },
});

function fallOf(event: SupervisorEvent): Fall {
  switch (event.type) {
    case "CHILD_CRASHED":
      return {
        child: event.child,
        at: event.at,
        error: event.error,
        isOver: false,
        isHalted: false,
      };
    case "CHILD_DONE": {
      const { child, at, output } = event;
      const end = endOf(output);
      // A supervisor below that gave up ended by itself, and has failed nevertheless.
      const error = end === "escalated" ? output : null;
      return { child, at, error, isOver: true, isHalted: end === "halted" };
    }
    default:
      throw new RangeError(`"${event.type}" is no child's end`);
  }
}

function endOf(output: JsonValue): JsonValue {
  if (typeof output !== "object" || output === null || !("end" in output)) return null;
  return output["end"];
}
