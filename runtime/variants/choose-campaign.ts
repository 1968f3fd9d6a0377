import type { CampaignOutput } from "../../machines/campaign/events.ts";
import type { ActorRow, Store } from "../store/store.ts";
import { allActors } from "./all-actors.ts";
import { type CampaignKey, changedParts, type KeyPart } from "./campaign-key.ts";
import type { Records } from "./records.ts";

/** The last campaign of a working tree. */
export interface LastRow {
  readonly campaign: string;
  /** Counts the campaigns. */
  readonly number: number;
  readonly key: CampaignKey;
}

/** Which campaign a run is. */
export interface ChosenCampaign {
  readonly campaign: string;
  /**
   * `new` starts one; `resume` goes on with one whose process died; `again` goes on with one that was
   * cancelled or failed: what was scored stays scored.
   */
  readonly mode: "new" | "resume" | "again";
  /** Which parts of the key differ from the unfinished campaign that is not resumed. */
  readonly changed: readonly KeyPart[];
  /** The actors of an unfinished campaign that this one takes the place of. */
  readonly superseded: readonly string[];
  readonly row: LastRow;
}

/** Decides between resuming the last campaign and starting a new one. */
export async function chooseCampaign(
  store: Store,
  records: Records,
  options: { readonly key: CampaignKey; readonly fresh: boolean },
): Promise<ChosenCampaign> {
  const { key, fresh } = options;
  const last = await records.read<LastRow>("campaigns", "last");
  const actor = last === undefined ? undefined : await store.read(last.campaign);
  const isUnfinished = actor !== undefined && (actor.status === "active" || mayGoOn(actor));
  if (last !== undefined && isUnfinished && !fresh && last.key.key === key.key) {
    const mode = actor.status === "active" ? "resume" : "again";
    return { campaign: last.campaign, mode, changed: [], superseded: [], row: last };
  }
  const number = (last?.number ?? 0) + 1;
  const campaign = `c-${number}-${key.key.slice(0, 8)}`;
  return {
    campaign,
    mode: "new",
    changed: last !== undefined && isUnfinished ? changedParts(last.key, key) : [],
    superseded: last === undefined ? [] : await activeActors(store, last.campaign),
    row: { campaign, number, key },
  };
}

/** Gives back what processes held that are known to be dead, so that nobody waits for it to expire. */
export async function giveBackLeases(store: Store, owners: readonly string[]): Promise<void> {
  for (const owner of owners) {
    const held: string[] = [];
    for await (const actor of allActors(store, {})) if (actor.owner === owner) held.push(actor.id);
    if (held.length > 0) await store.release(owner, held);
  }
}

function mayGoOn(actor: ActorRow): boolean {
  if (actor.status !== "done") return actor.status !== "stopped";
  const { snapshot } = JSON.parse(actor.state) as {
    readonly snapshot: { readonly output?: CampaignOutput };
  };
  return snapshot.output?.end === "cancelled" || snapshot.output?.end === "failed";
}

async function activeActors(store: Store, campaign: string): Promise<string[]> {
  const found: string[] = [];
  for await (const { id } of allActors(store, { prefix: campaign, status: "active" })) {
    const rest = id.slice(campaign.length);
    if (rest === "" || rest.startsWith("/") || rest.startsWith("#")) found.push(id);
  }
  return found;
}
