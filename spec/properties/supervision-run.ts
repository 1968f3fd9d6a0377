import fc from "fast-check";
import { type AnyStateMachine, fromPromise, setup } from "xstate";
import { supervisorMachine } from "../../machines/supervisor/machine.ts";
import type { SupervisorStrategy } from "../../machines/supervisor/events.ts";
import { defineLogic } from "../../runtime/engine/logic.ts";
import { supervise } from "../../runtime/engine/supervise.ts";
import type { Store } from "../../runtime/store/store.ts";
import type { Mutant } from "../kit/mutants.ts";
import { nothingIsDue, refold } from "../kit/sim-checks.ts";
import type { SimProcess } from "../kit/sim-process.ts";
import { type Fault, ScheduledWire } from "../kit/sim-scheduled-wire.ts";
import { SimWorld } from "../kit/sim-world.ts";

/** Workers that fail again and again under a supervisor. */
export interface SupervisionPlan {
  readonly processes: number;
  readonly strategy: SupervisorStrategy;
  readonly intensity: number;
  readonly periodMs: number;
  /** After how long the work fails, in turn, in ms. */
  readonly fails: readonly number[];
  readonly faults: readonly Fault[];
}

/** Plans with two workers. */
export const supervisionPlan: fc.Arbitrary<SupervisionPlan> = fc.record({
  processes: fc.integer({ min: 1, max: 2 }),
  strategy: fc.constantFrom(
    "one_for_one" as const,
    "rest_for_one" as const,
    "one_for_all" as const,
  ),
  intensity: fc.integer({ min: 0, max: 3 }),
  periodMs: fc.integer({ min: 500, max: 5_000 }),
  fails: fc.array(fc.integer({ min: 50, max: 3_000 }), { minLength: 1, maxLength: 4 }),
  faults: fc.uniqueArray(
    fc.record({
      at: fc.nat({ max: 90 }),
      kind: fc.constantFrom("lose" as const, "crash" as const, "stall" as const),
    }),
    { maxLength: 4, selector: (fault) => fault.at },
  ),
});

const workers = ["w0", "w1"] as const;

/** Runs a plan and answers every rule that it broke. */
export async function runSupervision(
  scheduler: fc.Scheduler,
  plan: SupervisionPlan,
  mutant?: Mutant,
): Promise<readonly string[]> {
  const wire = new ScheduledWire(scheduler, plan.faults);
  const supervisor = mutant?.supervisor ?? supervisorMachine;
  let calls = 0;
  const world = new SimWorld({
    wire,
    processes: plan.processes,
    mutant,
    boot: (engine, process) => {
      engine.register(brittleMachine(async () => {
        await sleep(process, plan.fails[calls++ % plan.fails.length] ?? 0);
        throw new RangeError("worn out");
      }));
      engine.register(supervisor);
    },
  });
  const endless = await wire.run(world, async () => {
    await world.open();
    while (
      await world.attempt(async (engine) => {
        const answer = await supervise(engine, {
          id: "sup",
          strategy: plan.strategy,
          intensity: plan.intensity,
          periodMs: plan.periodMs,
          children: workers.map((id) => ({ id, machine: "brittle" })),
        });
        // supervise() registers the real one.
        engine.register(supervisor);
        return answer;
      }) === undefined
    );
    await world.sleep(1_000);
  }, true);
  const logics = [defineLogic(supervisor), defineLogic(brittleMachine(() => Promise.resolve()))];
  const refolded = await refold(world.store, logics);
  return [
    ...await intensityHolds(world.store, plan),
    ...refolded.violations,
    ...world.violations,
    ...await nothingIsDue(world.store, world.clock.now()),
    ...endless,
  ];
}

/** Counts the restarts that were decided, by the time of the crash that each answers. */
async function intensityHolds(
  store: Store,
  { intensity, periodMs }: SupervisionPlan,
): Promise<string[]> {
  const supervisor = await store.journal("sup", 0, Number.MAX_SAFE_INTEGER);
  const decided = new Map<number, number>();
  for (const worker of workers) {
    for (const { event, cause } of await store.journal(worker, 0, Number.MAX_SAFE_INTEGER)) {
      if ((JSON.parse(event) as { readonly type: string }).type !== "sidecanary.restart") continue;
      const revision = Number(cause?.slice("sup:".length));
      const row = supervisor.find((each) => each.revision === revision);
      if (row !== undefined) {
        decided.set(revision, (JSON.parse(row.event) as { readonly at: number }).at);
      }
    }
  }
  const times = [...decided.values()];
  const violations = times.flatMap((end) => {
    const count = times.filter((at) => at >= end - periodMs && at <= end).length;
    if (count <= intensity) return [];
    return [`P6: ${count} restarts within ${periodMs} ms, where ${intensity} are borne`];
  });
  const over = (await store.read("sup"))?.status === "done";
  for (const worker of workers) {
    const status = (await store.read(worker))?.status;
    if (over && status !== "stopped") violations.push(`P6: ${worker} is ${status} after the end`);
  }
  return violations;
}

function brittleMachine(work: () => Promise<void>): AnyStateMachine {
  return setup({ actors: { work: fromPromise(work) } }).createMachine({
    id: "brittle",
    options: { maxIterations: 100 },
    initial: "working",
    states: { working: { invoke: { id: "work", src: "work" } } },
  });
}

function sleep(process: SimProcess, ms: number): Promise<void> {
  return new Promise((resolve) => process.setTimeout(resolve, ms));
}
