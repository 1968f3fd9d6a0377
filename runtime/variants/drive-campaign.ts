import { mkdir } from "node:fs/promises";
import type { CampaignOutput } from "../../machines/campaign/events.ts";
import type { Failure } from "../../machines/failure.ts";
import { isSidecanaryError } from "../errors.ts";
import { restoreBaseline } from "./baseline.ts";
import { type CampaignHost, storedBaseline } from "./campaign-ports.ts";
import { Fleet } from "./fleet.ts";
import { messageOf } from "./message-of.ts";
import type { ReadyCampaign } from "./prepare-campaign.ts";
import { collections, report, type Session } from "./session.ts";
import type { StoreWatch } from "./store-watch.ts";
import { type Driven, knownCount } from "./stored-report.ts";
import { wire } from "./wire.ts";

/** How long a campaign may take to hear that it is cancelled, in ms. */
const CANCEL_MS = 5_000;
const AGAIN_MS = 200;

/**
 * Starts or resumes the campaign's actor and waits for its end.
 *
 * @throws SidecanaryError `store-failed` where the store is given up
 */
export async function driveCampaign(
  { session, chosen, watch }: Pick<ReadyCampaign, "session" | "chosen" | "watch">,
): Promise<Driven> {
  const { engine, campaign, request, plan, records } = session;
  const { signal } = request;
  const host: CampaignHost = {
    session,
    fleet: new Fleet(session),
    isWarm: false,
    pool: undefined,
  };
  const baseline = await storedBaseline(session);
  if (baseline !== undefined && baseline.failure === undefined) restoreBaseline(session, baseline);
  await mkdir(session.logs, { recursive: true, mode: 0o700 });
  wire(engine, host);
  for (const actor of chosen.superseded) {
    await engine.stop(actor, { eventId: `superseded:${engine.owner}` }).catch((error: unknown) => {
      // What another version of the machines began cannot run here, and need not be stopped.
      if (!isSidecanaryError(error, "machine-changed")) throw error;
    });
  }
  await records.write("campaigns", "last", chosen.row);
  const resumed = await knownCount(session);
  report(session, {
    type: "campaign",
    campaign,
    total: plan.planned.length,
    resumed,
    changed: chosen.changed,
  });
  const cancel = () => void cancelCampaign(session, watch);
  if (chosen.mode === "again") {
    await session.records.commit([
      { collection: collections.campaign(campaign), key: "stop", value: null },
    ]);
    await engine.restart(campaign, "initial", { eventId: `again:${engine.owner}` });
  } else if (chosen.mode === "new") {
    await engine.start(campaign, "campaign", { input: { campaign } });
  }
  if (signal.aborted) cancel();
  signal.addEventListener("abort", cancel, { once: true });
  try {
    const view = await engine.waitFor(campaign, ({ status }) => status !== "active", {
      signal: watch.signal,
    });
    if (view.status === "done") {
      const output = view.output as unknown as CampaignOutput;
      const { failure } = view.context as unknown as { readonly failure: Failure | null };
      if (output.end === "failed" && failure !== null && failure.code !== "unexpected") {
        const message = `The campaign could not go on: ${failure.message}`;
        report(session, { type: "warning", message });
      }
      return { output, resumed };
    }
    throw new TypeError(`The campaign's actor ended as ${view.status}: ${messageOf(view.error)}`);
  } finally {
    signal.removeEventListener("abort", cancel);
  }
}

/** Never rejects: a campaign that cannot be told in time is given up. */
async function cancelCampaign(session: Session, watch: StoreWatch): Promise<void> {
  const { engine, campaign, clock } = session;
  const event = { type: "CANCEL", reason: "cancelled" };
  let failure: unknown = new Error(`it did not answer for ${CANCEL_MS} ms`);
  const late = clock.setTimeout(() => watch.giveUp(failure), CANCEL_MS);
  try {
    while (!watch.signal.aborted) {
      try {
        await engine.deliver(campaign, event, { eventId: `cancel:${engine.owner}` });
        return;
      } catch (error) {
        failure = error;
        watch.note(error);
      }
      await new Promise<void>((resolve) => clock.setTimeout(resolve, AGAIN_MS));
    }
  } finally {
    clock.clearTimeout(late);
  }
}
