import {
  type ActorLogic,
  type AnyActorLogic,
  type AnyActorRef,
  createActor,
  type EventObject,
  type Snapshot,
} from "xstate";
import type { Clock } from "../clock.ts";

/** The effect that a port runs for: what an outside service needs to see a repetition as one. */
export interface EffectInfo {
  /** The outbox id, the same in every try and under every owner: send it as the idempotency key. */
  readonly key: string;
  readonly actor: string;
  /** Rises with every change of owner and every restart: a fence for services that can compare it. */
  readonly epoch: number;
}

/**
 * The effect that the port or the action with this `self` runs for, or `undefined` under a bare
 * `createActor`.
 *
 * @example
 * const charge = fromPromise(({ input, self }) =>
 *   bank.charge(input, { idempotencyKey: effectOf(self)?.key ?? crypto.randomUUID() })
 * );
 */
export function effectOf(self: object): EffectInfo | undefined {
  return (self as { readonly [effectInfo]?: EffectInfo })[effectInfo];
}

const effectInfo: unique symbol = Symbol("sidecanary.effect");

/** `self` as {@link effectOf} knows it. */
export function withEffect<Self extends object>(self: Self, info: EffectInfo): Self {
  return Object.defineProperty(self, effectInfo, { value: info });
}

/** What a port says. */
export interface PortListener {
  readonly done: (output: unknown) => void;
  readonly error: (error: unknown) => void;
  readonly sent: (event: EventObject) => void;
}

/**
 * Runs a port's logic as a child of an actor that only listens, because xstate gives `sendBack` to
 * children alone. Answers how to stop it: the signal of a promise port aborts, a callback port's
 * cleanup runs, and nothing more is heard of it.
 */
export function runPort(
  logic: AnyActorLogic,
  input: unknown,
  info: EffectInfo,
  clock: Clock,
  listener: PortListener,
): () => void {
  let isStopped = false;
  const done = `xstate.done.actor.${info.key}`;
  const failed = `xstate.error.actor.${info.key}`;
  const listening: ActorLogic<Snapshot<undefined>, EventObject> = {
    transition(snapshot, event, scope) {
      if (event.type === "xstate.stop") scope.stopChild(child);
      else if (isStopped) return snapshot;
      else if (event.type === done) listener.done((event as DoneEvent).output);
      else if (event.type === failed) listener.error((event as FailedEvent).error);
      else listener.sent(event);
      return snapshot;
    },
    getInitialSnapshot: () => ({ status: "active", output: undefined, error: undefined }),
    getPersistedSnapshot: (snapshot) => snapshot,
  };
  const parent = createActor(listening, { id: `${info.key}:host`, clock: clock as never });
  const child: AnyActorRef = createActor(logic, { id: info.key, input, parent } as never);
  withEffect(child, info);
  parent.start();
  (child as unknown as { start(): void }).start();
  return () => {
    isStopped = true;
    parent.stop();
  };
}

interface DoneEvent extends EventObject {
  readonly output: unknown;
}

interface FailedEvent extends EventObject {
  readonly error: unknown;
}
