import type { CallbackActorLogic, EventObject, PromiseActorLogic } from "xstate";
import type { JsonValue } from "../ports.ts";

/**
 * What `boot` is given. (sidecar, attempt) is the idempotency key; `attempt` rises with each call
 * of `boot` or `destroy` over the sidecar's life.
 */
export interface BootInput {
  readonly sidecar: string;
  readonly spec: JsonValue;
  readonly attempt: number;
}

/** What `boot` resolves to. */
export interface Booted {
  /** How to attach to it: plain data, stored, and handed to `watch` and `destroy`. */
  readonly endpoint: JsonValue;
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
  /** `null` where `boot` never came back: look for it by name. */
  readonly endpoint: JsonValue;
  readonly attempt: number;
}

/** What a sidecar asks of its host. The promise ports fail with a `Failure`. */
export interface SidecarPorts {
  /**
   * Creates the sidecar, attaches to it and has a first command come back. An earlier call may have
   * created it already (a lost answer, a crash, a lost connection): it is looked for by name first,
   * then attached to or replaced. The actor's transition into `booting` is the record that it may
   * exist.
   */
  readonly boot: PromiseActorLogic<Booted, BootInput>;
  /**
   * Stays attached while the sidecar is up and sends `LOST` (a `LostEvent`) when it cannot be. Run
   * again when another process adopts the actor.
   */
  readonly watch: CallbackActorLogic<EventObject, WatchInput>;
  /** Destroys it. That it is gone already is success. */
  readonly destroy: PromiseActorLogic<void, DestroyInput>;
}
