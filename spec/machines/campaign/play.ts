import { type Baseline, type CampaignInput, campaignMachine } from "../../../machines/mod.ts";
import { PureActor } from "../../kit/pure-actor.ts";
import { steady } from "../variant-run/play.ts";

export { failure, steady } from "../variant-run/play.ts";

export const none = { killed: 0, survived: 0, timeout: 0, error: 0, skipped: 0 } as const;

export const baseline: Baseline = { timeoutMs: { "npm test": 4_000 }, durationMs: 900 };

type Phase = "preflight" | "baseline" | "running" | "closing";

/** A campaign of three variants, one of them rejected, that was played up to `phase`. */
export function playTo(
  phase: Phase,
  input: Partial<CampaignInput> = {},
): PureActor<typeof campaignMachine> {
  const campaign = new PureActor(campaignMachine, { campaign: "c1", retry: steady, ...input });
  if (phase === "preflight") return campaign;
  campaign.done("preflight", { planned: 2, rejected: { ...none, error: 1 } });
  if (phase === "baseline") return campaign;
  campaign.done("baseline", baseline);
  return phase === "running" ? campaign : campaign.send({ type: "POOL_DONE" });
}
