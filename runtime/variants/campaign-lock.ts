import { currentOwner, type Owner, ownerState } from "../sidecars/local/owner.ts";
import type { Clock } from "../clock.ts";
import { SidecanaryError } from "../errors.ts";
import type { Store } from "../store/store.ts";
import { Records } from "./records.ts";

/** The lock of a working tree's campaigns. It dies with the process that holds it. */
export interface CampaignLock {
  /** The engines' owner names of dead processes, whose leases may be given back. */
  readonly dead: readonly string[];
  /** Gives it back. Idempotent. */
  release(): Promise<void>;
  /** Leaves it to whoever finds this process gone: for a store that cannot be written. */
  abandon(): void;
}

/** What the lock is asked for with. */
export interface LockOptions {
  readonly store: Store;
  readonly clock: Clock;
  /** The owner name of this process's engine. */
  readonly engine: string;
  /** For the message. */
  readonly root: string;
}

interface LockRow {
  readonly owner: Owner;
  readonly engine: string;
  readonly beat: number;
}

const COLLECTION = "campaigns";
const KEY = "lock";
const BEAT_MS = 10_000;
/** How old the sign of life of an owner in another process namespace may be. */
const PATIENCE_MS = 3 * BEAT_MS;

/**
 * Takes the lock: a row that names a process by pid and start time, written by compare-and-set. One
 * whose process is gone is taken over; one that cannot be seen from here (another container) when it
 * has not been renewed for {@link PATIENCE_MS}.
 *
 * @throws SidecanaryError `campaign-locked` naming the pid
 */
export async function lockCampaigns(options: LockOptions): Promise<CampaignLock> {
  const { store, clock, engine, root } = options;
  const records = new Records(store, clock);
  const owner = currentOwner();
  const put = async (expected: number | undefined): Promise<boolean> => {
    const value = JSON.stringify({ owner, engine, beat: clock.now() } satisfies LockRow);
    const write = { collection: COLLECTION, key: KEY, value };
    return await records.tryCommit([expected === undefined ? write : { ...write, expected }]);
  };
  const found = await store.record(COLLECTION, KEY);
  const held = found === undefined ? undefined : JSON.parse(found.value) as LockRow;
  if (held !== undefined && isAlive(held, clock.now())) throw locked(root, held.owner.pid);
  if (!(await put(found?.version ?? 0))) {
    const winner = await records.read<LockRow>(COLLECTION, KEY);
    throw locked(root, winner?.owner.pid ?? 0);
  }
  let released: Promise<void> | undefined;
  let beating: unknown;
  const beat = () => {
    if (released === undefined) beating = clock.setTimeout(() => void renew(), BEAT_MS);
  };
  // One sign of life that cannot be written is made up for by the next.
  const renew = () => put(undefined).then(beat, beat);
  beat();
  const abandon = () => {
    released ??= Promise.resolve();
    clock.clearTimeout(beating);
  };
  return {
    dead: held === undefined ? [] : [held.engine],
    abandon,
    release: () => {
      clock.clearTimeout(beating);
      released ??= records.commit([{ collection: COLLECTION, key: KEY, value: null }]);
      return released;
    },
  };
}

function isAlive({ owner, beat }: LockRow, now: number): boolean {
  const state = ownerState(owner);
  return state === "alive" || (state === "unknown" && now - beat < PATIENCE_MS);
}

function locked(root: string, pid: number): SidecanaryError {
  return new SidecanaryError(
    "campaign-locked",
    `Cannot run a campaign for "${root}": process ${pid} runs one. Wait for it, or end it`,
    { campaign: root, owner: String(pid) },
  );
}
