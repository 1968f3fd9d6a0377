import { createHash } from "node:crypto";
import type { Clock } from "../../runtime/clock.ts";
import type {
  ActorRow,
  ClaimedWork,
  ClaimRequest,
  Commit,
  CommitResult,
  Settlement,
  Store,
} from "../../runtime/store/store.ts";
import { StoreDecorator } from "./sim-store-decorator.ts";

/** What {@link WatchedStore} is told to look at beside its own rules. */
export interface WatchOptions {
  /** Called with what was written, in the order of commits. Answers what is wrong, or nothing. */
  readonly onCommit?: (commit: Commit, actors: readonly ActorRow[]) => string | undefined;
  /**
   * How far the processes' clocks may be apart, in ms.
   * @default 0
   */
  readonly skewMs?: number;
}

/**
 * Stands right before the store and sees every call in the order in which it is performed: notes
 * what breaks the rules of leases and fences, and folds everything into one hash.
 */
export class WatchedStore extends StoreDecorator {
  readonly violations: string[] = [];
  /** How many calls were performed. */
  steps = 0;
  readonly #clock: Clock;
  readonly #options: WatchOptions;
  /** The newest row known of each actor: never newer than the stored one. */
  readonly #known = new Map<string, ActorRow>();
  readonly #hash = createHash("sha256");

  constructor(inner: Store, clock: Clock, options: WatchOptions = {}) {
    super(inner);
    this.#clock = clock;
    this.#options = options;
  }

  /** The hash of all calls and of the states they left. */
  get trace(): string {
    return this.#hash.copy().digest("hex").slice(0, 16);
  }

  override async commit(commit: Commit): Promise<CommitResult> {
    const stale = commit.transitions.flatMap(({ actor, journal }) => {
      const epoch = epochOfResult(journal.event);
      const known = this.#known.get(actor.id)?.epoch ?? 0;
      if (epoch === undefined || epoch >= known) return [];
      return [`P-lease: ${journal.eventId} of epoch ${epoch} was applied in epoch ${known}`];
    });
    const result = await super.commit(commit);
    if (result.outcome === "committed") {
      this.violations.push(...stale);
      for (const row of result.actors) this.#note(row);
      const wrong = this.#options.onCommit?.(commit, result.actors);
      if (wrong !== undefined) this.violations.push(wrong);
      for (const row of result.actors) {
        this.#trace(`${row.id} ${row.revision} ${row.epoch} ${row.owner} ${row.state}`);
      }
    }
    const events = commit.transitions.map((each) => each.journal.eventId).join();
    this.#trace(`commit ${commit.lease?.owner} ${events} ${result.outcome}`);
    return result;
  }

  override async claim(request: ClaimRequest): Promise<readonly ClaimedWork[]> {
    const claimed = await super.claim(request);
    for (const { actor, outbox, inbox, timers } of claimed) {
      this.#note(actor);
      const ids = [...outbox.map((row) => row.id), ...inbox.map((row) => row.eventId)];
      this.#trace(`${actor.id} ${actor.epoch} ${ids.join()} ${timers.map((row) => row.id).join()}`);
    }
    this.#trace(`claim ${request.owner}`);
    return claimed;
  }

  override async renew(
    owner: string,
    actors: readonly string[],
    until: number,
  ): Promise<readonly string[]> {
    const refused = await super.renew(owner, actors, until);
    for (const id of actors) {
      const row = this.#known.get(id);
      if (row === undefined || row.owner !== owner || refused.includes(id)) continue;
      this.#known.set(id, { ...row, leaseUntil: Math.max(row.leaseUntil, until) });
    }
    this.#trace(`renew ${owner} ${actors.join()} ${refused.join()}`);
    return refused;
  }

  override async release(owner: string, actors: readonly string[]): Promise<void> {
    await super.release(owner, actors);
    for (const id of actors) {
      const row = this.#known.get(id);
      if (row?.owner === owner) this.#known.set(id, { ...row, owner: null, leaseUntil: 0 });
    }
    this.#trace(`release ${owner} ${actors.join()}`);
  }

  override async settle(
    settlements: readonly Settlement[],
    now: number,
  ): Promise<readonly string[]> {
    const stale = settlements.filter(({ actor, epoch }) =>
      epoch < (this.#known.get(actor)?.epoch ?? 0)
    );
    const refused = await super.settle(settlements, now);
    for (const { id, epoch } of stale) {
      if (refused.includes(id)) continue;
      this.violations.push(`P-lease: ${id} was settled by epoch ${epoch}, which was over`);
    }
    const all = settlements.map(({ id, outcome }) => `${id} ${outcome.kind}`);
    this.#trace(`settle ${all.join()} ${refused.join()}`);
    return refused;
  }

  #note(row: ActorRow): void {
    const before = this.#known.get(row.id);
    const { skewMs = 0 } = this.#options;
    if (before?.owner != null && before.owner !== row.owner) {
      const early = before.leaseUntil - skewMs - this.#clock.now();
      if (early > 0) {
        this.violations.push(
          `P-lease: ${row.owner} took ${row.id} ${early} ms before the lease of ${before.owner} ended`,
        );
      }
    }
    if (before !== undefined && before.owner !== row.owner && before.epoch >= row.epoch) {
      this.violations.push(`P-lease: ${row.id} changed its owner without a new epoch`);
    }
    this.#known.set(row.id, row);
  }

  #trace(text: string): void {
    this.steps++;
    this.#hash.update(`${this.#clock.now()} ${text}\n`);
  }
}

/** Ports of the simulated machines answer with the epoch they ran under. */
function epochOfResult(event: string): number | undefined {
  const { type, output } = JSON.parse(event) as {
    readonly type: string;
    readonly output?: { readonly epoch?: number };
  };
  return type.startsWith("xstate.done.actor.") ? output?.epoch : undefined;
}
