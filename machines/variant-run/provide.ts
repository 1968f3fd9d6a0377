import { variantRunMachine } from "./machine.ts";
import type { VariantRunPorts } from "./ports.ts";

/** The variant run machine with a host's ports in place. A port that is forgotten does not compile. */
export function provideVariantRun(ports: VariantRunPorts): typeof variantRunMachine {
  const { lease, sync, patch, test, release } = ports;
  return variantRunMachine.provide({
    actors: { lease, sync, patch, test },
    actions: { release: (_, params) => release(params) },
  });
}
