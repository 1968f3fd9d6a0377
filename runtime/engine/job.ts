import type { Json } from "../json.ts";
import type { StepEvent } from "./step-event.ts";

/** One event on its way into an actor. */
export interface Job {
  readonly actor: string;
  readonly eventId: string;
  readonly cause: string | null;
  readonly what:
    | Exclude<StepEvent, { kind: "init" } | { kind: "restart" }>
    | {
      readonly kind: "start";
      readonly machine: string;
      readonly input: Json;
      readonly restartInput?: Json;
      readonly supervisor: string | null;
    }
    | { readonly kind: "restart"; readonly mode: "resume" | "initial" }
    /** A supervisor wants it to wait: like a crash, but without a fault. */
    | { readonly kind: "suspend" };
  /** The epoch that an effect's result must still find. */
  readonly fence?: number;
}
