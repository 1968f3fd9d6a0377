import fc from "fast-check";
import { type AnyStateMachine, setup } from "xstate";
import { defineLogic } from "../../runtime/engine/logic.ts";
import type { ActorState } from "../../runtime/engine/actor-state.ts";
import type { Engine } from "../../runtime/engine/engine.ts";
import type { ActorRow, Commit } from "../../runtime/store/store.ts";
import type { Mutant } from "../kit/mutants.ts";
import { nothingIsDue, refold } from "../kit/sim-checks.ts";
import { type Fault, ScheduledWire } from "../kit/sim-scheduled-wire.ts";
import { SimWorld } from "../kit/sim-world.ts";

/** Deciders that race for the ends of candidates: one of them is current, each has at most one end. */
export interface EndsPlan {
  readonly processes: number;
  readonly deciders: readonly (readonly { readonly pick: number; readonly promote: boolean }[])[];
  readonly faults: readonly Fault[];
  readonly survive: boolean;
}

/** Plans with two or three deciders. */
export const endsPlan: fc.Arbitrary<EndsPlan> = fc.record({
  processes: fc.integer({ min: 2, max: 3 }),
  deciders: fc.array(
    fc.array(fc.record({ pick: fc.nat({ max: 2 }), promote: fc.boolean() }), {
      minLength: 1,
      maxLength: 3,
    }),
    { minLength: 2, maxLength: 3 },
  ),
  faults: fc.uniqueArray(
    fc.record({
      at: fc.nat({ max: 90 }),
      kind: fc.constantFrom("lose" as const, "crash" as const, "stall" as const),
    }),
    { maxLength: 5, selector: (fault) => fault.at },
  ),
  survive: fc.boolean(),
});

const candidates = ["c0", "c1", "c2", "c3"] as const;

/** Runs a plan and answers every rule that it broke. */
export async function runEnds(
  scheduler: fc.Scheduler,
  plan: EndsPlan,
  mutant?: Mutant,
): Promise<readonly string[]> {
  const wire = new ScheduledWire(scheduler, plan.faults);
  const stream = new Stream();
  const world = new SimWorld({
    wire,
    processes: plan.processes,
    mutant,
    watch: { onCommit: (commit, actors) => stream.look(commit, actors) },
    boot: (engine) => void engine.register(candidateMachine),
  });
  const decider = async (decisions: EndsPlan["deciders"][number]) => {
    while (await world.attempt(begin) === undefined);
    for (const { pick, promote: isPromotion } of decisions) {
      const candidate = candidates[pick + 1] as string;
      const end = isPromotion ? "promote" as const : "reject" as const;
      while (await world.attempt((engine) => decide(engine, candidate, end)) !== true);
    }
  };
  const endless = await wire.run(world, async () => {
    await world.open();
    await Promise.all(plan.deciders.map(decider));
  }, plan.survive);
  const refolded = await refold(world.store, [candidateLogic]);
  return [
    ...world.violations,
    ...refolded.violations,
    ...await nothingIsDue(world.store, world.clock.now()),
    ...endless,
  ];
}

async function begin(engine: Engine): Promise<true> {
  await engine.transact(
    candidates.map((actor) => ({
      actor,
      machine: "candidate",
      input: { isFirst: actor === candidates[0] },
    })),
    [{
      collection: "streams",
      key: "s",
      value: JSON.stringify([{ end: "promote", candidate: candidates[0] }]),
      expected: 0,
    }],
  );
  return true;
}

/** What a stream's row keeps: every decision, in order. */
interface Decision {
  readonly end: "promote" | "reject";
  readonly candidate: string;
}

/** Answers whether the candidate's end is decided, by whomever. */
async function decide(
  engine: Engine,
  candidate: string,
  end: Decision["end"],
): Promise<boolean> {
  const record = await engine.store.record("streams", "s");
  if (record === undefined) return false;
  const history = JSON.parse(record.value) as Decision[];
  if (history.some((each) => each.candidate === candidate)) return true;
  const current = currentOf(history);
  const deliveries = [{
    actor: candidate,
    event: { type: end === "promote" ? "PROMOTE" : "REJECT" },
    eventId: `${end}:${candidate}`,
  }];
  if (end === "promote") {
    const eventId = `supersede:${current}`;
    deliveries.push({ actor: current, event: { type: "SUPERSEDE" }, eventId });
  }
  const answer = await engine.transact(deliveries, [{
    collection: "streams",
    key: "s",
    value: JSON.stringify([...history, { end, candidate }]),
    expected: record.version,
  }]);
  // What is wrong with the one that was current is no answer about the candidate.
  const isAboutCandidate = "actor" in answer && answer.actor === candidate;
  return answer.outcome === "applied" || isAboutCandidate;
}

function currentOf(history: readonly Decision[]): string {
  return history.filter(({ end }) => end === "promote").at(-1)?.candidate ?? "";
}

/** What every commit must leave: one current version, and every end as the stream's row has it. */
class Stream {
  readonly #values = new Map<string, string>();
  #history: readonly Decision[] = [];

  look(commit: Commit, actors: readonly ActorRow[]): string | undefined {
    for (const { id, state } of actors) {
      const before = this.#values.get(id);
      const value = String((JSON.parse(state) as ActorState).snapshot.value);
      this.#values.set(id, value);
      if (value === "rejected" && before !== undefined && !["pending", value].includes(before)) {
        return `P2: ${id} was ${before} and is rejected`;
      }
    }
    for (const { value } of commit.records) this.#history = JSON.parse(value ?? "[]") as Decision[];
    const current = this.#ids("current");
    if (current !== currentOf(this.#history)) {
      return `P2: current is [${current}], and the stream names ${currentOf(this.#history)}`;
    }
    const rejected = this.#history.filter(({ end }) => end === "reject");
    const named = rejected.map(({ candidate }) => candidate).sort().join();
    if (this.#ids("rejected") !== named) {
      return `P2: rejected are [${this.#ids("rejected")}], and the stream names [${named}]`;
    }
    return undefined;
  }

  #ids(value: string): string {
    return [...this.#values].filter(([, each]) => each === value).map(([id]) => id).sort().join();
  }
}

const candidateMachine: AnyStateMachine = setup({
  types: { input: {} as { isFirst: boolean }, context: {} as { isFirst: boolean } },
}).createMachine({
  id: "candidate",
  options: { maxIterations: 100 },
  context: ({ input }) => ({ isFirst: input.isFirst }),
  initial: "pending",
  states: {
    pending: {
      always: { guard: ({ context }) => context.isFirst, target: "current" },
      on: { PROMOTE: "current", REJECT: "rejected" },
    },
    current: { on: { SUPERSEDE: "superseded" } },
    superseded: { type: "final" },
    rejected: { type: "final" },
  },
});

const candidateLogic = defineLogic(candidateMachine);
