import type { Json } from "../json.ts";
import type { ActorRow, ActorStatus } from "../store/store.ts";
import type { ActorState, LiveInvoke, PendingTimer } from "./actor-state.ts";

/** One actor as it was committed. */
export interface ActorView {
  readonly id: string;
  /** The machine's registered name. */
  readonly machine: string;
  readonly revision: number;
  /** Rises with every change of owner and every restart. */
  readonly epoch: number;
  readonly status: ActorStatus;
  /** xstate's state value. */
  readonly value: Json;
  readonly context: Json;
  /** What it ended with, or `null`. */
  readonly output: Json;
  /** What it failed or crashed with, or `null`. */
  readonly error: Json;
  /** The tags of the active states; empty where the machine is not registered in this process. */
  readonly tags: readonly string[];
  /** By timer id. */
  readonly timers: { readonly [id: string]: PendingTimer };
  /** By invoke id. */
  readonly invokes: { readonly [id: string]: LiveInvoke };
  /** When the last transition was applied, in ms since the epoch. */
  readonly updatedAt: number;
}

/** What the engine keeps beside the step's own state. */
export interface KeptState extends ActorState {
  /** What it was started with, for a restart from the beginning. */
  readonly input?: Json;
  /** What it crashed with, while it waits for its supervisor. */
  readonly crash?: Json;
}

/** Reads a row as a view. `tags` come from the machine, which only the caller knows. */
export function viewOf(row: ActorRow, state: KeptState, tags: readonly string[]): ActorView {
  return {
    id: row.id,
    machine: row.machine,
    revision: row.revision,
    epoch: row.epoch,
    status: row.status,
    value: state.snapshot.value,
    context: state.snapshot.context,
    output: state.snapshot.output ?? null,
    error: state.crash ?? state.snapshot.error ?? null,
    tags,
    timers: state.timers,
    invokes: state.invokes,
    updatedAt: row.updatedAt,
  };
}
