import { randomUUID } from "node:crypto";
import { performance } from "node:perf_hooks";
import type { Clock } from "../clock.ts";
import { SidecanaryError } from "../errors.ts";
import { currentOwner, startOf } from "../sidecars/local/owner.ts";
import { HttpProblem, tooMany } from "./http-problem.ts";
import { Instance, type InstanceLabel } from "./instance.ts";
import type { InstanceCell, Isolation } from "./instance-cell.ts";
import { instanceDir, makeInstanceDir, removeInstanceDir } from "./instance-dir.ts";
import { writeJournal } from "./journal.ts";
import type { DestroyReason, ServeEvent } from "./serve-event.ts";
import type { ServeLimits } from "./serve-limits.ts";
import { TokenBucket } from "./token-bucket.ts";

/** What {@link Instances} has of its surroundings. */
export interface InstancesPorts {
  readonly stateDir: string;
  readonly isolation: Isolation;
  readonly limits: ServeLimits;
  readonly clock: Clock;
  readonly onEvent: (event: ServeEvent) => void;
}

/** What runs of an instance. */
interface Remains {
  end(): Promise<void>;
}

interface Slot {
  readonly label: InstanceLabel;
  readonly uid: number | undefined;
  readonly made: Promise<Instance>;
  instance?: Instance;
  /** What is left of one that could not be made. */
  remains?: Remains;
  destroyed?: Promise<void>;
  /** Whether something was left, and is to be destroyed once more when somebody asks. */
  left?: boolean;
}

/** The instances of a host: makes them within the limits, finds them by owner, destroys them. */
export class Instances {
  readonly #ports: InstancesPorts;
  /** From the moment somebody asks for one until nothing of it is left. */
  readonly #slots = new Map<string, Slot>();
  readonly #buckets = new Map<string, TokenBucket>();
  readonly #closing = new AbortController();

  constructor(ports: InstancesPorts) {
    this.#ports = ports;
  }

  /**
   * Makes an instance, or answers the owner's living one of this name, so that a client whose answer
   * was lost finds what it has made.
   *
   * @throws HttpProblem 429 beyond a limit, 503 while stopping, 500 where it could not be made
   */
  async create(
    owner: string,
    name: string,
    org: string,
  ): Promise<{ readonly instance: Instance; readonly fresh: boolean }> {
    if (this.#closing.signal.aborted) throw new HttpProblem(503, "The host is stopping.");
    for (const slot of this.#slots.values()) {
      if (slot.label.owner !== owner || slot.label.name !== name) continue;
      if (slot.destroyed === undefined) return { instance: await slot.made, fresh: false };
      // The one that goes makes room first.
      await this.destroy(slot.label.id, "asked").catch(() => {});
      if (this.#slots.get(slot.label.id) === slot) {
        throw new HttpProblem(
          409,
          `The instance "${name}" before this one could not be destroyed.`,
        );
      }
      return await this.create(owner, name, org);
    }
    this.#checkLimits(owner);
    const label = { id: randomUUID(), name, owner, org };
    const uid = this.#freeUid();
    const slot: Slot = { label, uid, made: this.#make(label, uid) };
    this.#slots.set(label.id, slot);
    try {
      slot.instance = await slot.made;
    } catch (error) {
      const why = error instanceof Error ? error.message : String(error);
      this.#ports.onEvent({ kind: "failed", what: why, instance: label.id });
      if (error instanceof HttpProblem) throw error;
      throw new HttpProblem(500, `The instance could not be made: ${why}`);
    }
    return { instance: slot.instance, fresh: true };
  }

  /** The owner's instance, of this organisation where one is given; oldest first. */
  list(owner: string, org?: string): Instance[] {
    return this.#living().filter(({ label }) =>
      label.owner === owner && (org === undefined || label.org === org)
    );
  }

  /** The owner's instance. */
  find(owner: string, id: string): Instance | undefined {
    const instance = this.byId(id);
    return instance?.label.owner === owner ? instance : undefined;
  }

  /** An instance, whosever it is. */
  byId(id: string): Instance | undefined {
    const slot = this.#slots.get(id);
    return slot?.destroyed === undefined ? slot?.instance : undefined;
  }

  /** Every living instance. */
  all(): Instance[] {
    return this.#living();
  }

  /**
   * Destroys an instance; resolves when nothing of it is left. One that is not there is destroyed.
   *
   * @throws SidecanaryError `sidecar-failed` where something is left
   */
  async destroy(id: string, reason: DestroyReason): Promise<void> {
    const slot = this.#slots.get(id);
    const remains = slot?.instance ?? slot?.remains;
    if (slot === undefined || remains === undefined) return;
    if (slot.destroyed === undefined || slot.left) {
      slot.left = false;
      slot.destroyed = this.#unmake(slot, remains, reason);
    }
    await slot.destroyed;
  }

  /**
   * Destroys everything, also what is being made.
   *
   * @returns what is left, by id, and why
   */
  async close(): Promise<{ readonly id: string; readonly reason: string }[]> {
    this.#closing.abort(new HttpProblem(503, "The host is stopping."));
    const left: { id: string; reason: string }[] = [];
    await Promise.all([...this.#slots.values()].map(async ({ label, made }) => {
      try {
        await made.catch(() => {});
        await this.destroy(label.id, "stopping");
      } catch (error) {
        left.push({ id: label.id, reason: error instanceof Error ? error.message : String(error) });
      }
    }));
    return left;
  }

  #living(): Instance[] {
    return [...this.#slots.values()].flatMap(({ instance, destroyed }) =>
      instance === undefined || destroyed !== undefined ? [] : [instance]
    );
  }

  #checkLimits(owner: string): void {
    const { limits, clock } = this.#ports;
    const slots = [...this.#slots.values()];
    if (slots.length >= limits.instances) {
      throw tooMany(`The host has all of its ${limits.instances} instances.`, 10);
    }
    const own = slots.filter(({ label }) => label.owner === owner).length;
    if (own >= limits.instancesPerOwner) {
      throw tooMany(`You have all of your ${limits.instancesPerOwner} instances.`, 10);
    }
    let bucket = this.#buckets.get(owner);
    if (bucket === undefined) {
      this.#buckets.set(owner, bucket = new TokenBucket(clock, limits.createsPerMinute));
    }
    const taken = bucket.take();
    if (!taken.ok) {
      const what = `You may create ${limits.createsPerMinute} instances within a minute.`;
      throw tooMany(what, taken.waitMs / 1000);
    }
  }

  #freeUid(): number | undefined {
    const { uids } = this.#ports.isolation;
    if (uids === undefined) return undefined;
    const taken = new Set([...this.#slots.values()].map((slot) => slot.uid));
    let uid = uids;
    while (taken.has(uid)) uid++;
    return uid;
  }

  async #make(label: InstanceLabel, uid: number | undefined): Promise<Instance> {
    const startedAt = performance.now();
    const { stateDir, isolation, limits, clock, onEvent } = this.#ports;
    const { id, name, owner } = label;
    const dir = instanceDir(stateDir, id);
    const { signal } = this.#closing;
    let cell: InstanceCell | undefined;
    try {
      await makeInstanceDir(dir, uid);
      await writeJournal(stateDir, { id, name, owner });
      cell = await isolation.open({ id, dir, uid, signal });
      const started = startOf(cell.holder) ?? "0";
      const holder = { ...currentOwner(), pid: cell.holder, started };
      await writeJournal(stateDir, { id, name, owner, holder });
      signal.throwIfAborted();
    } catch (error) {
      const slot = this.#slots.get(id);
      if (slot !== undefined) {
        slot.remains = { end: async () => await cell?.end() };
        // What could not be removed is told by an event, and tried again when somebody asks.
        await this.destroy(id, "died").catch(() => {});
      }
      throw error;
    }
    const onExpired = (reason: DestroyReason) => {
      this.destroy(id, reason).catch(() => {
        // It was told by an event, and the next start tries again.
      });
    };
    const instance = new Instance(label, cell, { clock, limits, onExpired });
    const durationMs = Math.round(performance.now() - startedAt);
    onEvent({ kind: "created", instance: id, name, owner, durationMs });
    return instance;
  }

  async #unmake(slot: Slot, remains: Remains, reason: DestroyReason): Promise<void> {
    const { stateDir, onEvent } = this.#ports;
    const { id, name, owner } = slot.label;
    try {
      await remains.end();
      await removeInstanceDir(instanceDir(stateDir, id));
    } catch (error) {
      slot.left = true;
      const why = error instanceof Error ? error.message : String(error);
      onEvent({ kind: "failed", what: why, instance: id });
      const message = `Instance ${id} could not be destroyed: ${why}`;
      throw new SidecanaryError("sidecar-failed", message, { sidecar: id }, error);
    }
    this.#slots.delete(id);
    if (slot.instance !== undefined) {
      onEvent({ kind: "destroyed", instance: id, name, owner, reason });
    }
  }
}
