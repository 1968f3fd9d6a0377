import type { CallbackActorLogic, EventObject, PromiseActorLogic } from "xstate";
import type { JsonValue } from "../ports.ts";

/**
 * What `boot` is given. (sidecar, attempt) is the idempotency key; `attempt` rises with each call of
 * any port but `watch` over the sidecar's life.
 */
export interface BootInput {
  readonly sidecar: string;
  readonly spec: JsonValue;
  readonly attempt: number;
  /** The attempt that began this visit of `booting`: calls with the same number want one thing. */
  readonly since: number;
  /**
   * An earlier one was lost: make a new one, and destroy what stands under the name. `false`: take
   * over what is there. It stays `true` for all calls of the visit, so it is the host who remembers
   * for which `since` the old one was destroyed already: a new one that only needs longer to come up
   * is taken over by the next call.
   */
  readonly fresh: boolean;
}

/** What `boot` resolves to. */
export interface Booted {
  /** How to attach to it: plain data, stored, and handed to all other ports. */
  readonly endpoint: JsonValue;
}

/** What `sync` is given. */
export interface SyncInput {
  readonly sidecar: string;
  readonly spec: JsonValue;
  readonly endpoint: JsonValue;
  readonly attempt: number;
}

/** What `attach` is given. */
export interface AttachInput {
  readonly sidecar: string;
  readonly spec: JsonValue;
  readonly endpoint: JsonValue;
  readonly attempt: number;
}

/** What `watch` is given. */
export interface WatchInput {
  readonly sidecar: string;
  readonly spec: JsonValue;
  readonly endpoint: JsonValue;
}

/** What `destroy` is given. */
export interface DestroyInput {
  readonly sidecar: string;
  readonly spec: JsonValue;
  /** `null` where `boot` has not come back since the start or the last loss: look by name. */
  readonly endpoint: JsonValue;
  readonly attempt: number;
}

/** What a sidecar asks of its host. The promise ports fail with a `Failure`. */
export interface SidecarPorts {
  /**
   * Creates the sidecar, attaches to it and has a first command come back. An earlier call may have
   * created it already (a lost answer, a crash, a lost connection): it is looked for by name first,
   * then attached to or replaced, see {@link BootInput.fresh}. The actor's transition into `booting`
   * is the record that it may exist.
   */
  readonly boot: PromiseActorLogic<Booted, BootInput>;
  /**
   * Brings the payload there. Idempotent: goes on where an earlier call stopped, and dials again
   * first where the connection is lost.
   */
  readonly sync: PromiseActorLogic<void, SyncInput>;
  /**
   * Runs while the sidecar is up. Sends `DISCONNECTED` (a `DisconnectedEvent`) whenever a connection
   * that stood is lost, and at once where none stands when it begins; `LOST` (a `LostEvent`) when
   * the sidecar is gone. Run again when another process adopts the actor.
   */
  readonly watch: CallbackActorLogic<EventObject, WatchInput>;
  /**
   * Dials again, once, and has a first command come back; does nothing where the connection stands.
   * A `transient` failure is tried again, any other one has lost the sidecar.
   */
  readonly attach: PromiseActorLogic<void, AttachInput>;
  /** Destroys it. That it is gone already is success. */
  readonly destroy: PromiseActorLogic<void, DestroyInput>;
}
