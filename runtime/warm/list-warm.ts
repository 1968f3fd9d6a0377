import type { Clock } from "../clock.ts";
import type { Random } from "../random.ts";
import { parseHostName } from "../sidecars/host-name.ts";
import type { HostProvider } from "../sidecars/host-provider.ts";
import type { StateFolder } from "../state-folder.ts";
import type { Store } from "../store/store.ts";
import { openWarmStore, type WarmRecord, WarmRecords } from "./warm-records.ts";
import { actorId } from "./warm-view.ts";

/** A warm sidecar of this working tree. */
export interface WarmListed {
  readonly name: string;
  readonly host: string;
  readonly place: string;
  /** `booting`, `up`, `lost`, `draining`, … as it was committed last; `gone` when it has ended. */
  readonly state: string;
  readonly createdAt: number;
  readonly expiresAt: number;
  readonly usedAt: number;
  readonly tree: string | null;
}

/** A host with a name of ours, of whomever. */
export interface NamedHost {
  readonly host: string;
  readonly id: string;
  readonly owner: string;
  /** Whether this working tree made it. */
  readonly own: boolean;
  /** In ms since the epoch; `null` where the name tells no believable time. */
  readonly expiresAt: number | null;
  readonly expired: boolean;
  /** When it was made, where this working tree knows; in ms since the epoch. */
  readonly createdAt: number | null;
}

/** Names that expire before 2024 or more than a year from now tell no time of ours. */
const EARLIEST_MS = Date.UTC(2024, 0, 1);
const LONGEST_MS = 366 * 86_400_000;

/** The working tree's own warm sidecars, from its journal alone. */
export async function listWarm(
  folder: StateFolder,
  clock: Clock,
  random: Random,
): Promise<WarmListed[]> {
  const store = await openWarmStore(folder, clock, random);
  try {
    const records = await new WarmRecords(store, clock).sidecars();
    return await Promise.all(records.map(async (record) => ({
      name: record.title,
      host: record.host,
      place: record.place,
      state: await stateOf(store, record),
      createdAt: record.createdAt,
      expiresAt: record.expiresAt,
      usedAt: record.usedAt,
      tree: record.tree,
    })));
  } finally {
    await store.close();
  }
}

/** Every host of a provider with a name of ours. */
export async function listNamed(
  provider: HostProvider,
  own: { readonly owner: string; readonly sidecars: readonly WarmListed[] },
  now: number,
  signal: AbortSignal,
): Promise<NamedHost[]> {
  const refs = await provider.list(signal);
  return refs.flatMap(({ id, name }) => {
    const parsed = parseHostName(name);
    if (parsed === undefined) return [];
    const known = own.sidecars.find(({ host }) => host === name);
    const { expiresAt } = parsed;
    const isTime = expiresAt >= EARLIEST_MS && expiresAt <= now + LONGEST_MS;
    return [{
      host: name,
      id,
      owner: parsed.owner,
      own: parsed.owner === own.owner,
      expiresAt: isTime ? expiresAt : null,
      expired: isTime && expiresAt <= now,
      createdAt: known?.createdAt ?? null,
    }];
  });
}

async function stateOf(store: Store, record: WarmRecord): Promise<string> {
  const row = await store.read(actorId(record));
  if (row === undefined || row.status !== "active") return "gone";
  const { snapshot } = JSON.parse(row.state) as { readonly snapshot: { readonly value: unknown } };
  const { value } = snapshot;
  return typeof value === "string" ? value : Object.keys(value as object)[0] ?? "unknown";
}
