import { systemClock } from "../clock.ts";
import { systemRandom } from "../random.ts";
import type { CliIo } from "./io.ts";
import type { SidecarFlags } from "./program/sidecar-command.ts";
import { interruptible } from "./warm/interruptible.ts";
import type { WarmCliPorts } from "./warm/warm-surroundings.ts";

/** A command below `sidecanary sidecar`, with its operands. */
export type SidecarVerb =
  | { readonly verb: "create" | "list" | "sync" | "prune" }
  | { readonly verb: "exec" | "ssh" | "destroy"; readonly words: readonly string[] };

/**
 * `sidecanary sidecar …` with its signals.
 *
 * @returns the exit code
 */
export async function runSidecar(
  verb: SidecarVerb,
  flags: SidecarFlags,
  io: CliIo,
  ports: WarmCliPorts = { clock: systemClock, random: systemRandom },
): Promise<number> {
  return await interruptible(io, async (signal) => {
    switch (verb.verb) {
      case "create": {
        const { sidecarCreate } = await import("./commands/sidecar-create.ts");
        return await sidecarCreate(flags, io, ports, signal);
      }
      case "list": {
        const { sidecarList } = await import("./commands/sidecar-list.ts");
        return await sidecarList(flags, io, ports, signal);
      }
      case "exec": {
        const { sidecarExec } = await import("./commands/sidecar-exec.ts");
        return await sidecarExec(verb.words, flags, io, ports, signal);
      }
      case "ssh": {
        const { sidecarSsh } = await import("./commands/sidecar-ssh.ts");
        return await sidecarSsh(verb.words, flags, io, ports, signal);
      }
      case "sync": {
        const { sidecarSync } = await import("./commands/sidecar-sync.ts");
        return await sidecarSync(flags, io, ports, signal);
      }
      case "destroy": {
        const { sidecarDestroy } = await import("./commands/sidecar-destroy.ts");
        return await sidecarDestroy(verb.words, flags, io, ports, signal);
      }
      case "prune": {
        const { sidecarPrune } = await import("./commands/sidecar-prune.ts");
        return await sidecarPrune(flags, io, ports, signal);
      }
    }
  });
}
