import fc from "fast-check";
import type { Engine } from "../../runtime/engine/engine.ts";
import { defineLogic } from "../../runtime/engine/logic.ts";
import type { Mutant } from "../kit/mutants.ts";
import {
  acceptedAreKept,
  nothingIsDue,
  receivedAll,
  refold,
  tagsAreUnique,
} from "../kit/sim-checks.ts";
import { type LedgerEvent, ledgerMachine } from "../kit/sim-ledger.ts";
import type { SimProcess } from "../kit/sim-process.ts";
import { type Fault, ScheduledWire } from "../kit/sim-scheduled-wire.ts";
import { SimWorld } from "../kit/sim-world.ts";

/** Clients that deliver the same events to ledgers, each in an order of its own. */
export interface LedgerPlan {
  readonly processes: number;
  readonly clients: number;
  readonly events: readonly LedgerDelivery[];
  readonly faults: readonly Fault[];
  readonly survive: boolean;
}

interface LedgerDelivery {
  readonly to: string;
  readonly what: LedgerEvent["type"];
  readonly n: number;
}

/** Which events and faults a property is about. */
export interface LedgerFocus {
  readonly events: readonly LedgerEvent["type"][];
  readonly faults: readonly Fault["kind"][];
  /**
   * Whether the processes live to the end, where a stalled one comes back.
   * @default either
   */
  readonly survive?: true;
}

/** Plans with these events and faults. */
export function ledgerPlan({ events, faults, survive }: LedgerFocus): fc.Arbitrary<LedgerPlan> {
  return fc.record({
    processes: fc.integer({ min: 2, max: 3 }),
    clients: fc.integer({ min: 1, max: 2 }),
    events: fc.array(
      fc.record({
        to: fc.constantFrom("a", "b"),
        what: fc.constantFrom(...events),
        n: fc.integer({ min: 1, max: 9 }),
      }),
      { minLength: 1, maxLength: 6 },
    ),
    faults: fc.uniqueArray(
      fc.record({ at: fc.nat({ max: 120 }), kind: fc.constantFrom(...faults) }),
      { maxLength: 6, selector: (fault) => fault.at },
    ),
    survive: survive === undefined ? fc.boolean() : fc.constant(survive),
  });
}

/** Runs a plan and answers every rule that it broke. */
export async function runLedger(
  scheduler: fc.Scheduler,
  plan: LedgerPlan,
  mutant?: Mutant,
): Promise<readonly string[]> {
  const wire = new ScheduledWire(scheduler, plan.faults);
  const world = new SimWorld({
    wire,
    processes: plan.processes,
    mutant,
    boot: bootLedger,
  });
  const client = async (rotation: number) => {
    for (const actor of ["a", "b"]) {
      while (await world.attempt((engine) => engine.start(actor, "ledger")) === undefined);
    }
    for (const [index] of plan.events.entries()) {
      const at = (index + rotation) % plan.events.length;
      const { to, what, n } = plan.events[at] as LedgerDelivery;
      await world.deliver(to, ledgerEvent(what, to, n, `e${at}`), `e${at}`);
    }
  };
  const work = async () => {
    await world.open();
    await Promise.all(Array.from({ length: plan.clients }, (_, index) => client(index)));
    // What the events led to happens under faults too.
    await world.sleep(1_500);
  };
  const endless = await wire.run(world, work, plan.survive);
  const { store } = world;
  const refolded = await refold(store, [ledgerLogic]);
  return [
    ...refolded.violations,
    ...await acceptedAreKept(world),
    ...await tagsAreUnique(store),
    ...await nothingIsDue(store, world.clock.now()),
    ...receivedAll(world, refolded),
    ...world.violations,
    ...endless,
  ];
}

/** Registers the ledger with ports that ask the world's receiver. */
export function bootLedger(engine: Engine, process: SimProcess, world: SimWorld): void {
  engine.on({}, async ({ id, actor, event }) => {
    await world.ask(process, { key: id, actor, payload: { kind: "announce", event } });
  });
  engine.register(ledgerMachine({
    work: async (input, { key, actor, epoch }) => {
      await world.ask(process, { key, actor, payload: input }, epoch);
      const { ms } = input as { readonly ms: number };
      await new Promise<void>((resolve) => process.setTimeout(resolve, ms));
      if (ms % 5 === 0) throw new RangeError("refused");
      return { epoch };
    },
    ship: (key, actor, payload) => world.ask(process, { key, actor, payload }),
  }));
}

/** The ledger as it is stepped again: its ports never run. */
export const ledgerLogic = defineLogic(ledgerMachine({
  work: () => Promise.resolve(null),
  ship: () => Promise.resolve(),
}));

/** The event for an actor, from a plan's numbers. */
export function ledgerEvent(
  type: LedgerEvent["type"],
  self: string,
  n: number,
  tag: string,
): LedgerEvent & { readonly [key: string]: string | number } {
  switch (type) {
    case "ADD":
      return { type, by: n, tag };
    case "TELL":
      return { type, to: n === 9 ? "nobody" : self === "a" ? "b" : "a", tag };
    case "ARM":
      return { type, ms: n * 150, tag };
    case "WORK":
      return { type, ms: n * 400 + (n % 3), tag };
    case "TICK":
      return { type };
    default:
      return { type, tag };
  }
}
