import type { Json } from "../json.ts";

/** An xstate event as the engine keeps it: plain data with a type. */
export interface EventData {
  readonly type: string;
  readonly [key: string]: Json;
}

/** A failure as data: what a rejected port, a throwing step or a crash leaves behind. */
export interface ErrorData {
  readonly name: string;
  readonly message: string;
  readonly stack?: string;
}

/** xstate's part of an actor's state, without live children: every field is plain data. */
export interface SnapshotData {
  readonly status: "active" | "done" | "error" | "stopped";
  /** xstate's state value. */
  readonly value: Json;
  readonly context: Json;
  /** Remembered state ids by history region. */
  readonly historyValue: { readonly [region: string]: readonly string[] };
  readonly output?: Json;
  readonly error?: Json;
}

/** An invoke that its machine has entered and not left. */
export interface LiveInvoke {
  /** The port's name in the machine's `actors`. */
  readonly src: string;
  /** The outbox id of the effect: the incarnation that results are checked against. */
  readonly effect: string;
  readonly input: Json;
}

/** A delayed event that its machine has set and not cancelled. */
export interface PendingTimer {
  /** The revision that set it. */
  readonly revision: number;
  /** In ms since the epoch. */
  readonly due: number;
  readonly event: EventData;
}

/** Everything the engine keeps of an actor between steps, stored as JSON text in the actor's row. */
export interface ActorState {
  readonly snapshot: SnapshotData;
  /** By invoke id. */
  readonly invokes: { readonly [id: string]: LiveInvoke };
  /** By timer id (xstate's id of the delayed event). */
  readonly timers: { readonly [id: string]: PendingTimer };
}
