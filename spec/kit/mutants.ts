import type { AnyStateMachine } from "xstate";
import type { Store } from "../../runtime/store/store.ts";

/** One rule of the protocol, broken on purpose. */
export interface Mutant {
  readonly name: string;
  /** The store as a process uses it: before its network. */
  readonly inProcess?: (store: Store) => Store;
  /** The store itself: behind the network. */
  readonly inStore?: (store: Store) => Store;
  /** The id under which a client delivers an event. */
  readonly mint?: (eventId: string, attempt: number) => string;
  /** Registered in place of the real one. */
  readonly supervisor?: AnyStateMachine;
}
