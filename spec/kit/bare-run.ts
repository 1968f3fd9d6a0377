import { type AnyActor, type AnyActorRef, type AnyMachineSnapshot, createActor } from "xstate";
import { Deferreds } from "./deferreds.ts";
import { buildMachine, type MachinePlan } from "./machine-arbitrary.ts";
import { ManualClock } from "./manual-clock.ts";

/** What is done to a machine in a comparison of two ways to run it. */
export type Stimulus =
  | { readonly do: "send"; readonly type: string }
  | { readonly do: "advance"; readonly ms: number }
  /** Answers the live invoke at this position of the sorted ids, where there is one. */
  | { readonly do: "answer"; readonly pick: number; readonly ok: boolean }
  /** Only the engine feels it. */
  | { readonly do: "crash" };

/** What is compared after every stimulus. */
export interface Observed {
  readonly status: string;
  readonly value: unknown;
  readonly context: unknown;
  readonly output: unknown;
  readonly said: readonly unknown[];
  readonly invokes: readonly string[];
}

/** Runs a plan by xstate alone. Two timers due at one time make the order a matter of luck. */
export class BareRun {
  readonly #clock = new ManualClock();
  readonly #ports = new Deferreds();
  readonly #said: unknown[] = [];
  readonly #actor: AnyActor;

  constructor(plan: MachinePlan) {
    const clock = {
      setTimeout: (callback: () => void, ms: number) => this.#clock.setTimeout(callback, ms),
      clearTimeout: (id: number) => this.#clock.clearTimeout(id),
    };
    this.#actor = createActor(buildMachine(plan, (id) => this.#ports.open(id)), { clock });
    this.#actor.on("*", (event) => this.#said.push(event));
    this.#actor.subscribe({ error: () => {} });
    this.#actor.start();
  }

  /** Whether a machine turned in circles, which bare xstate and the engine answer differently. */
  get looped(): boolean {
    const { error } = this.#actor.getSnapshot() as AnyMachineSnapshot;
    return error instanceof Error && error.message.startsWith("Infinite loop");
  }

  async apply(stimulus: Stimulus): Promise<void> {
    if (stimulus.do === "advance") this.#clock.advance(stimulus.ms);
    if (this.#snapshot.status === "active") {
      if (stimulus.do === "send") this.#actor.send({ type: stimulus.type });
      if (stimulus.do === "answer") this.#ports.answer(this.#live(), stimulus.pick, stimulus.ok);
    }
    // A port's answer passes through a handful of promise reactions.
    for (let turn = 0; turn < 8; turn++) await Promise.resolve();
  }

  observe(): Observed {
    const { status, value, context, output } = this.#snapshot;
    return { status, value, context, output, said: [...this.#said], invokes: this.#live() };
  }

  get #snapshot(): AnyMachineSnapshot {
    return this.#actor.getSnapshot() as AnyMachineSnapshot;
  }

  #live(): string[] {
    if (this.#snapshot.status !== "active") return [];
    return Object.entries(this.#snapshot.children as Record<string, AnyActorRef | undefined>)
      .filter(([, child]) => child?.getSnapshot().status === "active")
      .map(([id]) => id)
      .sort();
  }
}
