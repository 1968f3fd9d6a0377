import type { AnyStateMachine } from "xstate";

/** A registered machine, checked and ready to be stepped. */
export interface Logic {
  /** The name that actors are stored under. */
  readonly name: string;
  /** The hash of the definition. */
  readonly hash: string;
  /** JSON text of the definition. */
  readonly definition: string;
  /** The machine as it was registered: ports and actions are run from here. */
  readonly machine: AnyStateMachine;
  /** The same machine with inert ports: stepping it runs no port's code. */
  readonly stepped: AnyStateMachine;
}

/** Options of {@link defineLogic}. */
export interface LogicOptions {
  /**
   * The name that actors are stored under.
   * @default the machine's id
   */
  readonly name?: string;
  /**
   * Told apart from earlier definitions of the same name even where the structure is the same.
   * @default the machine's `version`, or none
   */
  readonly version?: string;
}

/** Placeholder body until the checks land. */
export function defineLogic(_machine: AnyStateMachine, _options: LogicOptions = {}): Logic {
  throw new Error("not written yet");
}
