import { campaignMachine } from "../../machines/campaign/machine.ts";
import { provideCampaign } from "../../machines/campaign/provide.ts";
import type { Failure } from "../../machines/failure.ts";
import type { SidecarEmitted } from "../../machines/sidecar/events.ts";
import { sidecarMachine } from "../../machines/sidecar/machine.ts";
import { provideSidecar } from "../../machines/sidecar/provide.ts";
import type { VariantRunEmitted } from "../../machines/variant-run/events.ts";
import { variantRunMachine } from "../../machines/variant-run/machine.ts";
import { provideVariantRun } from "../../machines/variant-run/provide.ts";
import type { Engine } from "../engine/engine.ts";
import { defineLogic } from "../engine/logic.ts";
import { holderOf } from "./campaign-ids.ts";
import { type CampaignHost, campaignPorts } from "./campaign-ports.ts";
import { sidecarName } from "./campaign-report.ts";
import { report } from "./session.ts";
import { PROCESS_ENDED, sidecarPorts } from "./sidecar-ports.ts";
import { variantRunPorts } from "./variant-run-ports.ts";

/** The hashes of the three machines' definitions. */
export function machineHashes(): string[] {
  return [sidecarMachine, variantRunMachine, campaignMachine].map((each) => defineLogic(each).hash);
}

/**
 * Gives the engine the three machines with their ports, for the one campaign that this process runs.
 * An actor of an older campaign that comes up is told that it is superseded, and ends.
 */
export function wire(engine: Engine, host: CampaignHost): void {
  const { session } = host;
  const { campaign } = session;
  const hostOf = (asked: string) => {
    if (asked === campaign) return host;
    throw superseded;
  };
  const sidecars = sidecarPorts(
    (id) => hostOf(id.slice(0, id.lastIndexOf("#"))).session,
    (worker) => {
      if (host.isWarm) host.pool?.doubt(worker);
    },
  );
  const runs = variantRunPorts((asked) => hostOf(asked).session, {
    onAsked: (variant) => host.pool?.asked(variant),
    onDoubt: ({ worker }) => host.pool?.doubt(worker),
    isCurrent: (asked) => asked === campaign,
  });
  engine.register(provideSidecar(sidecars), { name: "sidecar" });
  engine.register(provideVariantRun(runs), { name: "variantRun" });
  engine.register(provideCampaign(campaignPorts(hostOf)), { name: "campaign" });
  engine.on({ machine: "sidecar", type: "SIDECAR_LOST" }, async ({ id, actor, event }) => {
    const { by, failure } = event as unknown as Extract<SidecarEmitted, { type: "SIDECAR_LOST" }>;
    if (failure.code !== PROCESS_ENDED) {
      const name = sidecarName(session.provider.kind, actor);
      const message = `Sidecar ${name} was lost and is made anew if it may be: ${failure.message}`;
      report(session, { type: "warning", message });
    }
    const holder = by === null ? undefined : holderOf(campaign, by);
    if (holder === undefined || failure.code === PROCESS_ENDED) return;
    const lost = { type: "LOST", sidecar: actor, failure: { ...failure } };
    await engine.deliver(holder, lost, { eventId: `lost:${id}` });
  });
  engine.on({ machine: "variantRun", type: "RETRYING" }, ({ event }) => {
    const { variant, failure } = event as unknown as VariantRunEmitted;
    report(session, { type: "state", variant, worker: null, state: "waiting" });
    report(session, { type: "retry", what: variant, message: failure.message });
  });
  engine.on({ machine: "sidecar", type: "RETRYING" }, ({ actor, event }) => {
    const { failure } = event as unknown as { readonly failure: Failure };
    const what = sidecarName(session.provider.kind, actor);
    report(session, { type: "retry", what, message: failure.message });
  });
}

const superseded: Failure = {
  code: "superseded",
  message: "Another campaign of this working tree has taken its place.",
  class: "permanent",
};
