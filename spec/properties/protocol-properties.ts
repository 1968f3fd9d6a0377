import fc from "fast-check";
import type { Mutant } from "../kit/mutants.ts";
import { endsPlan, runEnds } from "./ends-run.ts";
import { type LedgerFocus, ledgerPlan, runLedger } from "./ledger-run.ts";
import { runSupervision, supervisionPlan } from "./supervision-run.ts";

/** Something that must always hold, checked by fast-check. */
export interface ProtocolProperty {
  readonly name: string;
  /**
   * The property over the protocol, or over one that a mutant breaks. With a mutant only the rule
   * that the property is named after counts: another one's is another one's kill.
   */
  readonly of: (mutant?: Mutant) => fc.IAsyncProperty<[fc.Scheduler, unknown]>;
}

const ledgers: Readonly<Record<string, LedgerFocus>> = {
  P1: {
    events: ["ADD", "ADD", "TELL", "TELL", "POISON", "POISON", "ARM", "WORK", "END"],
    faults: ["lose", "lose", "crash"],
  },
  effects: { events: ["ADD", "ADD", "ADD", "WORK", "LEAVE"], faults: ["lose", "lose", "crash"] },
  timers: { events: ["ARM", "ARM", "DISARM", "WORK", "LEAVE"], faults: ["lose", "crash", "stall"] },
  "P-lease": { events: ["WORK", "ADD"], faults: ["stall"], survive: true },
};

/** By the rule that each is about. */
export const protocolProperties: readonly ProtocolProperty[] = [
  ...Object.entries(ledgers).map(([name, focus]) => property(name, ledgerPlan(focus), runLedger)),
  property("P2", endsPlan, runEnds),
  property("P6", supervisionPlan, runSupervision),
];

function property<Plan>(
  name: string,
  plan: fc.Arbitrary<Plan>,
  run: (scheduler: fc.Scheduler, plan: Plan, mutant?: Mutant) => Promise<readonly string[]>,
): ProtocolProperty {
  return {
    name,
    of: (mutant) =>
      fc.asyncProperty<[fc.Scheduler, Plan]>(fc.scheduler(), plan, async (scheduler, planned) => {
        const found = await run(scheduler, planned, mutant);
        const own = mutant === undefined ? found : found.filter((each) => each.startsWith(name));
        if (own.length > 0) throw new Error(own.join("\n"));
      }) as unknown as fc.IAsyncProperty<[fc.Scheduler, unknown]>,
  };
}
