import {
  type AnyActorRef,
  type AnyMachineSnapshot,
  type AnyStateMachine,
  createActor,
} from "xstate";
import type { ActorState, EventData, SnapshotData } from "./actor-state.ts";
import type { Json } from "../json.ts";

/**
 * The one place that knows how xstate's transition function is called. It uses `ActorScope`, which
 * xstate exports as a type and calls internal, so its spec runs on the lowest and the highest
 * supported xstate.
 *
 * One inert scope serves every step: `transition()` of xstate builds an actor for each call and runs
 * the initial snapshot with it.
 */
export interface Macrostep {
  readonly snapshot: SnapshotData;
  /** What xstate would execute, in order. */
  readonly actions: readonly CapturedAction[];
  readonly transitions: readonly TakenTransition[];
  /** Ids of children that stand in the next snapshot and did not stand in the one before. */
  readonly spawned: readonly string[];
}

/** An action as xstate hands it to its executor. */
export interface CapturedAction {
  readonly type: string;
  readonly params: unknown;
  /** The implementation; missing where the machine has none. */
  readonly exec: unknown;
  readonly context: unknown;
  readonly event: unknown;
}

/** An edge, as xstate's inspection reports it. */
export interface TakenTransition {
  readonly source: string;
  readonly event: string;
  readonly targets: readonly string[];
}

interface InspectedTransition {
  readonly eventType?: string;
  readonly source?: { readonly id: string };
  readonly target?: readonly { readonly id: string }[];
}

interface ExecutorAction {
  readonly type: string;
  readonly params: unknown;
  readonly exec: unknown;
  readonly info: { readonly context: unknown; readonly event: unknown };
}

type MachineScope = Parameters<AnyStateMachine["transition"]>[2];

/** Steps machines through xstate's own transition function, executing nothing. */
export class InertScope {
  readonly #scope: MachineScope;
  #actions: CapturedAction[] = [];
  #transitions: TakenTransition[] = [];

  /** @param machine any machine: it lends its types to the scope and is never started */
  constructor(machine: AnyStateMachine) {
    const self = createActor(inertLogic, {
      inspect: (event) => {
        if (event.type !== "@xstate.microstep") return;
        const { _transitions } = event as unknown as {
          readonly _transitions: readonly InspectedTransition[];
        };
        for (const taken of _transitions) {
          this.#transitions.push({
            source: taken.source?.id ?? machine.id,
            event: taken.eventType ?? "",
            targets: (taken.target ?? []).map((node) => node.id),
          });
        }
      },
    }) as unknown as AnyActorRef;
    this.#scope = {
      self,
      id: self.id,
      sessionId: self.sessionId,
      logger: () => {},
      defer: () => {},
      emit: () => {},
      stopChild: () => {},
      system: self.system,
      actionExecutor: (action: ExecutorAction) => {
        this.#actions.push({
          type: action.type,
          params: action.params,
          exec: action.exec,
          context: action.info.context,
          event: action.info.event,
        });
      },
    } as unknown as MachineScope;
  }

  /** The initial transition; `null` means no input. A throwing context or entry action throws. */
  init(machine: AnyStateMachine, input: Json): Macrostep {
    return this.#run([], () => {
      const snapshot = machine.getInitialSnapshot(
        this.#scope,
        (input === null ? undefined : input) as never,
      ) as AnyMachineSnapshot;
      if (snapshot.status === "error") throw snapshot.error;
      return snapshot;
    });
  }

  /** One event. `state` must be freshly parsed: xstate keeps and changes what it is given. */
  transition(machine: AnyStateMachine, state: ActorState, event: EventData): Macrostep {
    const live = Object.keys(state.invokes);
    return this.#run(live, () => {
      const restored = machine.restoreSnapshot(
        { ...state.snapshot, historyValue: historyRefs(state), children: {} } as never,
        this.#scope,
      ) as AnyMachineSnapshot;
      // xstate names the child to stop by looking it up here; nothing else of it is read.
      for (const id of live) (restored.children as Record<string, unknown>)[id] = { id };
      return machine.transition(restored, event as never, this.#scope) as AnyMachineSnapshot;
    });
  }

  #run(live: readonly string[], work: () => AnyMachineSnapshot): Macrostep {
    this.#actions = [];
    this.#transitions = [];
    const next = work();
    const spawned = Object.keys(next.children).filter((id) => !live.includes(id));
    return {
      snapshot: toData(next),
      actions: this.#actions,
      transitions: this.#transitions,
      spawned,
    };
  }
}

/** A logic that does nothing: it stands for every port while a machine is stepped. */
export const inertLogic = {
  transition: (snapshot: unknown): unknown => snapshot,
  getInitialSnapshot: (): unknown => ({
    status: "active",
    output: undefined,
    error: undefined,
  }),
  getPersistedSnapshot: (snapshot: unknown): unknown => snapshot,
} as unknown as Parameters<typeof createActor>[0];

function historyRefs(state: ActorState): Record<string, { id: string }[]> {
  return Object.fromEntries(
    Object.entries(state.snapshot.historyValue).map(([region, ids]) => [
      region,
      ids.map((id) => ({ id })),
    ]),
  );
}

function toData(snapshot: AnyMachineSnapshot): SnapshotData {
  const history = snapshot.historyValue as Record<string, readonly { readonly id: string }[]>;
  return {
    status: snapshot.status,
    value: snapshot.value as Json,
    context: snapshot.context as Json,
    historyValue: Object.fromEntries(
      Object.entries(history).map(([region, nodes]) => [region, nodes.map((node) => node.id)]),
    ),
    ...(snapshot.output === undefined ? {} : { output: snapshot.output as Json }),
    ...(snapshot.status === "error" ? { error: (snapshot.error ?? null) as Json } : {}),
  };
}
