import { variantRunMachine } from "./machine.ts";
import type { ReleaseParams, VariantRunPorts } from "./ports.ts";

/** The variant run machine with a host's ports in place. A port that is forgotten does not compile. */
export function provideVariantRun(ports: VariantRunPorts): typeof variantRunMachine {
  const { lease, sync, patch, test, release } = ports;
  // Answers what `release` answers: the engine awaits it, xstate does not look.
  const releaseLease = (_: unknown, params: ReleaseParams): unknown => release(params);
  return variantRunMachine.provide({
    actors: { lease, sync, patch, test },
    actions: { release: releaseLease },
  });
}
