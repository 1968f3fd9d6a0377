import {
  type CanaryVersionEvent,
  type CanaryVersionInput,
  canaryVersionMachine,
  type Decision,
} from "../../../machines/mod.ts";
import { PureActor } from "../../kit/pure-actor.ts";

const defaults = {
  stream: "planner",
  version: "planner@v7",
  by: "person:ann",
  expireMs: 60_000,
} as const;

/** A version that waits, played by hand. */
export function play(
  input: Partial<CanaryVersionInput> = {},
): PureActor<typeof canaryVersionMachine> {
  return new PureActor(canaryVersionMachine, { ...defaults, ...input });
}

/** A version in its first trial. */
export function playCanary(
  input: Partial<CanaryVersionInput> = {},
): PureActor<typeof canaryVersionMachine> {
  return play(input).send(told("START"));
}

/** An event from a person. */
export function told(
  type: Exclude<CanaryVersionEvent["type"], "DECIDE">,
  trial?: number,
): CanaryVersionEvent {
  const event = { type, by: "person:ann", reason: `because of ${type}` };
  return trial === undefined ? event : { ...event, trial };
}

/** A verdict of the judge. */
export function decided(verdict: Decision, trial = 1): CanaryVersionEvent {
  const evidence = { e: 21 };
  return { type: "DECIDE", verdict, trial, by: "judge:betting", reason: "e >= 20", evidence };
}

/** The announcements so far, by type. */
export function announced(actor: PureActor<typeof canaryVersionMachine>): string[] {
  return actor.effects.map(({ type }) => type);
}
