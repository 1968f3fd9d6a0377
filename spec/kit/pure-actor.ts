import {
  type AnyStateMachine,
  type EventFromLogic,
  type ExecutableActionObject,
  initialTransition,
  type InputFrom,
  type SnapshotFrom,
  transition,
} from "xstate";

/** A port that a machine has invoked and that has not answered. */
export interface OpenInvoke {
  readonly src: string;
  readonly input: Record<string, unknown>;
}

/** A named action or an announcement, in order. */
export interface Effect {
  readonly type: string;
  readonly params: Record<string, unknown>;
}

/**
 * Folds a machine over events with xstate's pure functions. Nothing runs: ports, timers, actions and
 * announcements are kept as data, and the test plays the host.
 */
export class PureActor<Logic extends AnyStateMachine> {
  readonly invokes = new Map<string, OpenInvoke>();
  /** Delay of each waiting timer, by id, in milliseconds. */
  readonly timers = new Map<string, number>();
  readonly effects: Effect[] = [];
  /** Every invoke there ever was, in order. */
  readonly calls: OpenInvoke[] = [];
  snapshot: SnapshotFrom<Logic>;
  readonly #logic: Logic;
  readonly #timerEvents = new Map<string, { readonly type: string }>();

  constructor(logic: Logic, input: InputFrom<Logic>) {
    this.#logic = logic;
    // Both functions want a tuple that depends on the machine; this class is for any machine.
    const begin = initialTransition as unknown as (
      logic: Logic,
      input: InputFrom<Logic>,
    ) => [SnapshotFrom<Logic>, ExecutableActionObject[]];
    const [snapshot, actions] = begin(logic, input);
    this.snapshot = snapshot;
    for (const action of actions) this.#take(action);
  }

  /** The state, as in `syncing.waiting`. */
  get at(): string {
    return pathOf((this.snapshot as { value: unknown }).value);
  }

  send(event: EventFromLogic<Logic>): this {
    return this.#step(event);
  }

  /** The port answers. */
  done(id: string, output?: unknown): this {
    this.#answered(id);
    return this.#step({ type: `xstate.done.actor.${id}`, actorId: id, output });
  }

  /** The port fails. */
  fail(id: string, error: unknown): this {
    this.#answered(id);
    return this.#step({ type: `xstate.error.actor.${id}`, actorId: id, error });
  }

  /** A waiting timer is due: the first one whose id contains `name`. */
  fire(name: string): this {
    const id = [...this.timers.keys()].find((each) => each.includes(name));
    const event = id === undefined ? undefined : this.#timerEvents.get(id);
    if (id === undefined || event === undefined) throw new Error(`No timer "${name}" waits`);
    this.timers.delete(id);
    return this.#step(event);
  }

  /** The params of every action or announcement of this type so far. */
  of(type: string): Record<string, unknown>[] {
    return this.effects.filter((effect) => effect.type === type).map(({ params }) => params);
  }

  #answered(id: string): void {
    if (!this.invokes.delete(id)) throw new Error(`No port "${id}" is invoked in ${this.at}`);
  }

  #step(event: object): this {
    const step = transition as unknown as (
      logic: Logic,
      snapshot: SnapshotFrom<Logic>,
      event: object,
    ) => [SnapshotFrom<Logic>, ExecutableActionObject[]];
    const [snapshot, actions] = step(this.#logic, this.snapshot, event);
    this.snapshot = snapshot;
    for (const action of actions) this.#take(action);
    return this;
  }

  #take({ type, params }: { readonly type: string; readonly params?: unknown }): void {
    const given = params as Record<string, unknown>;
    switch (type) {
      case "xstate.spawnChild": {
        const { id, src, input } = given as unknown as { id: string } & OpenInvoke;
        this.invokes.set(id, { src, input });
        this.calls.push({ src, input });
        return;
      }
      case "xstate.stopChild":
        this.invokes.delete((params as { id?: string } | undefined)?.id ?? "");
        return;
      case "xstate.raise": {
        const { id, event, delay } = given as {
          id: string;
          event: { type: string };
          delay?: number;
        };
        if (delay === undefined) return;
        this.timers.set(id, delay);
        this.#timerEvents.set(id, event);
        return;
      }
      case "xstate.cancel":
        this.timers.delete((given as { sendId: string }).sendId);
        return;
      case "xstate.emit": {
        const { event } = given as { event: { type: string } };
        this.effects.push({ type: event.type, params: event });
        return;
      }
      default:
        this.effects.push({ type, params: given });
    }
  }
}

function pathOf(value: unknown): string {
  if (typeof value === "string") return value;
  return Object.entries(value as Record<string, unknown>)
    .map(([key, inner]) => `${key}.${pathOf(inner)}`).join("|");
}
