import { campaignMachine } from "./machine.ts";
import type { CampaignPorts } from "./ports.ts";

/** The campaign machine with a host's ports in place. A port that is forgotten does not compile. */
export function provideCampaign(ports: CampaignPorts): typeof campaignMachine {
  const { preflight, baseline, pool, close } = ports;
  return campaignMachine.provide({ actors: { preflight, baseline, pool, close } });
}
