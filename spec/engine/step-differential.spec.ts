import fc from "fast-check";
import * as assert from "uvu/assert";
import type { ActorState } from "../../runtime/engine/actor-state.ts";
import { defineLogic, type Logic } from "../../runtime/engine/logic.ts";
import { step } from "../../runtime/engine/step.ts";
import type { StepEvent } from "../../runtime/engine/step-event.ts";
import { suite } from "../harness.ts";
import { BareRun, type Observed, type Stimulus } from "../kit/bare-run.ts";
import { check } from "../kit/check.ts";
import {
  buildMachine,
  eventTypes,
  type MachinePlan,
  machinePlan,
} from "../kit/machine-arbitrary.ts";

const test = suite("step differential");

const stimuli: fc.Arbitrary<Stimulus[]> = fc.array(
  fc.oneof(
    fc.record({ do: fc.constant("send" as const), type: fc.constantFrom(...eventTypes) }),
    fc.record({ do: fc.constant("advance" as const), ms: fc.integer({ min: 1, max: 40 }) }),
    fc.record({
      do: fc.constant("answer" as const),
      pick: fc.nat({ max: 5 }),
      ok: fc.boolean(),
    }),
  ),
  { maxLength: 12 },
);

/** A machine may set ever more timers under one id: such runs grow without end and are left out. */
const maxTimers = 8;

/** Folds {@link step} by hand: the state goes through JSON text between any two steps. */
class FoldedRun {
  #state: string | null = null;
  #revision = 0;
  #now = 0;
  readonly #said: unknown[] = [];
  readonly #logic: Logic;
  /** Two timers were due at one time: their order is a matter of luck. */
  tied = false;
  /** The machine threw, as one does that turns in circles: a dead letter here, the end in xstate. */
  threw = false;

  constructor(plan: MachinePlan) {
    this.#logic = defineLogic(buildMachine(plan, () => Promise.resolve(0)));
    this.#step({ kind: "init", input: null });
  }

  get #actor(): ActorState {
    return JSON.parse(this.#state as string) as ActorState;
  }

  apply(stimulus: Stimulus): void {
    if (stimulus.do === "send") this.#step({ kind: "event", event: { type: stimulus.type } });
    if (stimulus.do === "answer") this.#answer(stimulus);
    if (stimulus.do === "advance") this.#advance(this.#now + stimulus.ms);
  }

  get timers(): number {
    return Object.keys(this.#actor.timers).length;
  }

  observe(): Observed {
    const { snapshot, invokes } = this.#actor;
    const { status, value, context } = snapshot;
    return {
      status,
      value,
      context,
      output: snapshot.output,
      said: this.#said,
      invokes: Object.keys(invokes).sort(),
    };
  }

  #answer({ pick, ok }: Extract<Stimulus, { do: "answer" }>): void {
    const { invokes } = this.#actor;
    const live = Object.keys(invokes).sort();
    const invoke = live[pick % live.length];
    if (invoke === undefined) return;
    this.#step({
      kind: "result",
      invoke,
      effect: invokes[invoke]?.effect ?? "",
      result: ok ? { kind: "done", output: 7 } : { kind: "error", error: { message: "refused" } },
    });
  }

  #advance(end: number): void {
    while (!this.threw && this.timers <= maxTimers) {
      const [first, second] = Object.entries(this.#actor.timers).sort(([, a], [, b]) =>
        a.due - b.due
      );
      if (first === undefined || first[1].due > end) break;
      if (second !== undefined && second[1].due === first[1].due) this.tied = true;
      this.#now = first[1].due;
      this.#step({ kind: "timer", id: first[0], revision: first[1].revision });
    }
    this.#now = end;
  }

  #step(event: StepEvent): void {
    const status = this.#state === null ? "active" : this.#actor.snapshot.status;
    const input = {
      logic: this.#logic,
      actor: "a",
      state: this.#state,
      status,
      revision: this.#revision + 1,
      event,
      now: this.#now,
    };
    const result = step(input);
    if (result.outcome === "dead-letter") {
      if (result.reason === "threw") this.threw = true;
      else assert.is(result.reason, "ended");
      return;
    }
    const applied = result.outcome === "failed" ? result.applied : result;
    this.#revision++;
    this.#state = JSON.stringify(applied.state);
    for (const effect of applied.effects) {
      if (effect.kind === "announce") this.#said.push(effect.event);
    }
  }
}

test(
  "step() folded through JSON agrees with a bare actor on states, outputs and emissions",
  async () => {
    await check(
      fc.asyncProperty(machinePlan, stimuli, async (plan, sequence) => {
        const bare = new BareRun(plan);
        fc.pre(!bare.looped);
        const folded = new FoldedRun(plan);
        fc.pre(!folded.tied);
        for (const stimulus of sequence) {
          folded.apply(stimulus);
          fc.pre(!folded.tied && folded.timers <= maxTimers);
          await bare.apply(stimulus);
          if (folded.threw) {
            assert.is(bare.observe().status, "error");
            return;
          }
          const [ours, theirs] = [folded.observe(), bare.observe()].map((o) => JSON.stringify(o));
          if (ours !== theirs) throw new Error(`step: ${ours}\nbare: ${theirs}`);
        }
      }),
      { numRuns: 600 },
    );
  },
  { timeoutMs: 60_000 },
);
