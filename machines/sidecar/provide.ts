import { sidecarMachine } from "./machine.ts";
import type { SidecarPorts } from "./ports.ts";

/** The sidecar machine with a host's ports in place. A port that is forgotten does not compile. */
export function provideSidecar(ports: SidecarPorts): typeof sidecarMachine {
  const { boot, sync, watch, attach, destroy } = ports;
  return sidecarMachine.provide({ actors: { boot, sync, watch, attach, destroy } });
}
