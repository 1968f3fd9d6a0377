import { type CallbackActorLogic, type EventObject, fromCallback, fromPromise } from "xstate";
import type { NonReducibleUnknown, PromiseActorLogic } from "xstate";

/** Plain data: what survives `JSON.parse(JSON.stringify(value))` unchanged. */
export type JsonValue =
  | null
  | boolean
  | number
  | string
  | readonly JsonValue[]
  | { readonly [key: string]: JsonValue };

/**
 * The stand-in for a promise port that no host has provided. It fails with an `Error` that names the
 * port and says how to provide it.
 *
 * @typeParam Output what the provided port resolves to; plain data
 * @typeParam Input what the machine hands it; plain data
 * @param name `machine.port`, as in `variantRun.lease`
 */
export function promisePort<Output, Input extends NonReducibleUnknown>(
  name: string,
): PromiseActorLogic<Output, Input> {
  return fromPromise<Output, Input>(() => Promise.reject(notProvided(name)));
}

/**
 * The stand-in for a callback port that no host has provided. It fails with an `Error` that names
 * the port and says how to provide it.
 *
 * @typeParam Event what the machine may send to the port; `EventObject` where it sends nothing
 * @typeParam Input what the machine hands it; plain data
 * @param name `machine.port`, as in `sidecar.watch`
 */
export function callbackPort<Event extends EventObject, Input extends NonReducibleUnknown>(
  name: string,
): CallbackActorLogic<Event, Input> {
  return fromCallback<Event, Input>(() => {
    throw notProvided(name);
  });
}

/** What the action `tell` is given: the id of another actor and the event for it. */
export interface TellParams {
  readonly to: string;
  readonly event: { readonly type: string; readonly [field: string]: JsonValue };
}

/**
 * The stand-in for the action `tell`, which sends an event to another actor. The engine interprets
 * it and never calls it. Under a bare `createActor` a host provides its own; this one does nothing,
 * because an action that throws ends the actor and leaves its invoked children running.
 */
export function tellAction(_args: unknown, _params: TellParams): void {}

function notProvided(name: string): Error {
  const [machine = name, port = name] = name.split(".");
  const provide = `provide${machine.slice(0, 1).toUpperCase()}${machine.slice(1)}`;
  return new Error(`Cannot run the port "${name}": give it to ${provide}({ ${port} })`);
}
