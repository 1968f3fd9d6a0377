import type { Clock } from "../clock.ts";
import { pause } from "../pause.ts";
import { currentOwner, type Owner, ownerState } from "../sidecars/local/owner.ts";
import type { Store } from "../store/store.ts";
import { WarmRecords } from "./warm-records.ts";

/** The lock of one warm sidecar. It dies with the process that holds it. */
export interface WarmLock {
  /** The engine's owner name of a dead process, whose leases may be given back. */
  readonly dead: string | undefined;
  /** Gives it back, where nobody has taken it over. Idempotent. */
  release(): Promise<void>;
}

/** What the lock is asked for with. */
export interface WarmLockOptions {
  readonly store: Store;
  readonly clock: Clock;
  /** {@link WarmKey.id}. */
  readonly key: string;
  /** The owner name of this process's engine. */
  readonly engine: string;
  readonly signal: AbortSignal;
  /** Told once where it must be waited for. */
  readonly onWait: (pid: number) => void;
}

interface LockRow {
  readonly owner: Owner;
  readonly engine: string;
  readonly beat: number;
}

const COLLECTION = "locks";
const LOOK_MS = 200;
const BEAT_MS = 10_000;
/** How old the sign of life of an owner in another process namespace may be. */
const PATIENCE_MS = 3 * BEAT_MS;

/**
 * Takes the lock of a key, and waits for whoever has it: a row that names a process by pid and start
 * time, written by compare-and-set. One whose process is gone is taken over.
 *
 * @throws the signal's reason when aborted
 */
export async function lockWarm(options: WarmLockOptions): Promise<WarmLock> {
  const { store, clock, key, engine, signal, onWait } = options;
  const records = new WarmRecords(store, clock);
  const owner = currentOwner();
  const row = (): LockRow => ({ owner, engine, beat: clock.now() });
  let isTold = false;
  let dead: string | undefined;
  for (;;) {
    signal.throwIfAborted();
    const found = await store.record(COLLECTION, key);
    const held = found === undefined ? undefined : JSON.parse(found.value) as LockRow;
    if (held === undefined || !isAlive(held, clock.now())) {
      dead = held?.engine;
      if (await records.tryWrite(COLLECTION, key, row(), found?.version ?? 0)) break;
      continue;
    }
    if (!isTold) onWait(held.owner.pid);
    isTold = true;
    await pause(clock, LOOK_MS, signal);
  }
  // What somebody else took over in the meantime is theirs.
  const rewrite = async (value: LockRow | null): Promise<boolean> => {
    const found = await store.record(COLLECTION, key);
    if (found === undefined || (JSON.parse(found.value) as LockRow).engine !== engine) return false;
    return await records.tryWrite(COLLECTION, key, value, found.version);
  };
  let released: Promise<void> | undefined;
  let beating: unknown;
  let renewing = Promise.resolve();
  const beat = () => {
    if (released === undefined) beating = clock.setTimeout(renew, BEAT_MS);
  };
  const renew = () => {
    // One sign of life that cannot be written is made up for by the next.
    renewing = rewrite(row()).then((isMine) => isMine ? beat() : undefined, beat);
  };
  beat();
  return {
    dead,
    release: () => {
      clock.clearTimeout(beating);
      return released ??= renewing.then(() => rewrite(null)).then(() => {});
    },
  };
}

function isAlive({ owner, beat }: LockRow, now: number): boolean {
  const state = ownerState(owner);
  return state === "alive" || (state === "unknown" && now - beat < PATIENCE_MS);
}
