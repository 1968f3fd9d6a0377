import type { Json } from "../json.ts";
import type { EventData } from "./actor-state.ts";

/** What can happen to an actor. */
export type StepEvent =
  /** The initial transition. */
  | { readonly kind: "init"; readonly input: Json }
  /** An event from outside, or told by another actor. */
  | { readonly kind: "event"; readonly event: EventData }
  /** A timer row is due. */
  | { readonly kind: "timer"; readonly id: string; readonly revision: number }
  /** A port answered. `effect` is the outbox id it ran under. */
  | {
    readonly kind: "result";
    readonly invoke: string;
    readonly effect: string;
    readonly result:
      /** No `output` where the port gave none. */
      | { readonly kind: "done"; readonly output?: Json }
      | { readonly kind: "error"; readonly error: Json }
      /** A callback port sent an event back; the invoke lives on. */
      | { readonly kind: "sent"; readonly event: EventData };
  }
  /** Run again: from the last committed snapshot, or from the initial transition. */
  | { readonly kind: "restart"; readonly mode: "resume" | "initial"; readonly input: Json }
  /** End it: invokes and timers are cancelled, status `stopped`. */
  | { readonly kind: "stop" };

/** The initial transition's event. */
export function initEvent(input: Json): EventData {
  return { type: "xstate.init", input };
}

/** An event as it is told in the journal or a dead letter, as far as that is known without a state. */
export function eventData(event: Exclude<StepEvent, { kind: "init" }>): EventData {
  switch (event.kind) {
    case "event":
      return event.event;
    case "timer":
      return { type: "sidecanary.timer", id: event.id, revision: event.revision };
    case "result":
      return resultEvent(event);
    case "restart":
      return { type: "sidecanary.restart", mode: event.mode };
    case "stop":
      return { type: "sidecanary.stop" };
  }
}

/** What xstate is told of a port's answer. */
export function resultEvent(event: Extract<StepEvent, { kind: "result" }>): EventData {
  const { invoke: actorId, result } = event;
  switch (result.kind) {
    case "done":
      return {
        type: `xstate.done.actor.${actorId}`,
        ...(result.output === undefined ? {} : { output: result.output }),
        actorId,
      };
    case "error":
      return { type: `xstate.error.actor.${actorId}`, error: result.error, actorId };
    case "sent":
      return result.event;
  }
}
