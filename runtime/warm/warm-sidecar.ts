import process from "node:process";
import { bootRetryDefaults, type RetryPolicy, syncRetryDefaults } from "../../machines/backoff.ts";
import type { SidecarEmitted, SidecarInput } from "../../machines/sidecar/events.ts";
import { provideSidecar } from "../../machines/sidecar/provide.ts";
import type { Clock } from "../clock.ts";
import type { ActorView } from "../engine/actor-view.ts";
import { type Engine, openEngine } from "../engine/engine.ts";
import { isSidecanaryError, SidecanaryError } from "../errors.ts";
import type { Random } from "../random.ts";
import { formatHostName } from "../sidecars/host-name.ts";
import type { HostProvider } from "../sidecars/host-provider.ts";
import type { StateFolder } from "../state-folder.ts";
import type { Store } from "../store/store.ts";
import { runOf, type WarmKey } from "./warm-key.ts";
import { lockWarm, type WarmLock } from "./warm-lock.ts";
import { hangUp, type WarmLink, warmPorts, type WarmSpec } from "./warm-ports.ts";
import { openWarmStore, type WarmRecord, WarmRecords } from "./warm-records.ts";
import {
  actorId,
  errorText,
  given,
  isAttached,
  lossOf,
  none,
  outputOf,
  plain,
} from "./warm-view.ts";
import type { Where } from "./where.ts";

/** What a warm sidecar needs of its surroundings. */
export interface WarmContext {
  readonly folder: StateFolder;
  /** Opens the hosts of a choice. */
  readonly open: (where: Where) => Promise<HostProvider>;
  readonly clock: Clock;
  readonly random: Random;
  readonly signal: AbortSignal;
  /** A sentence that people should see. */
  readonly onNotice: (message: string) => void;
  /** @default bootRetryDefaults */
  readonly bootRetry?: RetryPolicy;
}

/** Which sidecar, and what may be done to have one. */
export interface UseOptions {
  /** Where it is to be; `undefined` takes the one that is there. */
  readonly where: Where | undefined;
  /** How long until anybody may destroy a new one, in ms. */
  readonly ttlMs: number;
  /** Whether one is made where none is. */
  readonly create: boolean;
}

/** How a sidecar came to be used. */
export interface Used {
  readonly record: WarmRecord;
  readonly made: "found" | "created" | "replaced";
}

/** What became of a sidecar that was to be destroyed. */
export interface Ended {
  readonly title: string;
  readonly host: string;
  readonly destroyed: boolean;
  /** Why it may still exist. */
  readonly message: string | null;
}

const LEASE_MS = 5_000;
/** A sidecar with less time than this is replaced before it is used. */
const MARGIN_MS = 60_000;
/** How long a cancelled creation may take to be undone. */
const UNDO_MS = 60_000;

/**
 * One key's sidecar in this process: an actor of the sidecar machine on an engine of its own name, so
 * that no other process runs it meanwhile. While this is open, the key is locked.
 */
export class WarmSidecar {
  readonly #context: WarmContext;
  readonly #key: WarmKey;
  readonly #store: Store;
  readonly #lock: WarmLock;
  readonly #engine: Engine;
  readonly #machine: string;
  readonly #links = new Map<string, WarmLink>();
  readonly #providers = new Map<string, Promise<HostProvider>>();
  readonly records: WarmRecords;
  #actor: string | undefined;
  #letGo: Promise<void> | undefined;

  private constructor(
    context: WarmContext,
    key: WarmKey,
    store: Store,
    lock: WarmLock,
    engine: Engine,
  ) {
    this.#context = context;
    this.#key = key;
    this.#store = store;
    this.#lock = lock;
    this.#engine = engine;
    this.#machine = `warm:${key.id}`;
    this.records = new WarmRecords(store, context.clock);
  }

  /**
   * Locks a key; waits for another process that has it.
   *
   * @throws SidecanaryError `store-…`; the signal's reason when aborted
   */
  static async open(context: WarmContext, key: WarmKey): Promise<WarmSidecar> {
    const { folder, clock, random, signal, onNotice } = context;
    const store = await openWarmStore(folder, clock, random);
    const owner = `warm-${process.pid}-${Math.floor(random() * 2 ** 48).toString(36)}`;
    let lock: WarmLock | undefined;
    try {
      lock = await lockWarm({
        store,
        clock,
        key: key.id,
        engine: owner,
        signal,
        onWait: (pid) =>
          onNotice(`waiting for process ${pid}, which uses the sidecar ${key.title}`),
      });
      if (lock.dead !== undefined) await giveBack(store, lock.dead, key);
      const engine = await openEngine({
        store,
        clock,
        random,
        owner,
        leaseMs: LEASE_MS,
        onProblem: ({ kind, message }) => {
          if (kind !== "quarantined") onNotice(message);
        },
      });
      const warm = new WarmSidecar(context, key, store, lock, engine);
      warm.#register();
      return warm;
    } catch (error) {
      await lock?.release();
      await store.close();
      throw error;
    }
  }

  /** The connection that stands; `undefined` while there is none. */
  get link(): WarmLink | undefined {
    return this.#actor === undefined ? undefined : this.#links.get(this.#actor);
  }

  /**
   * Has the sidecar up and connected: the one that is there, else a new one. One that is gone, has
   * expired or is elsewhere is replaced, once.
   *
   * @throws SidecanaryError `usage` where there is none and none may be made; `host-failed` with what
   *   it was given up for; the signal's reason when aborted
   */
  async use({ where, ttlMs, create }: UseOptions): Promise<Used> {
    const { onNotice, clock } = this.#context;
    const found = await this.records.sidecar(this.#key.id);
    let made: Used["made"] = "created";
    if (found !== undefined) {
      const { title } = this.#key;
      made = "replaced";
      const isElsewhere = where !== undefined && where.label !== found.where.label;
      const actor = await this.#engine.actor(actorId(found));
      if (actor?.status !== "active") {
        if (!create) throw none(this.#key, "it is gone");
        onNotice(`the sidecar ${title} is gone (${lossOf(actor)}): it is replaced`);
      } else if (isElsewhere || found.expiresAt - clock.now() < MARGIN_MS) {
        if (!create) throw none(this.#key, isElsewhere ? "it is elsewhere" : "it has expired");
        const why = isElsewhere ? `is at ${found.place}, not where it is wanted` : "has expired";
        onNotice(`the sidecar ${title} ${why}: it is replaced`);
        const ended = await this.#end(found);
        if (!ended.destroyed) onNotice(`${ended.host} may be left: ${ended.message ?? ""}`);
      } else {
        this.#actor = actor.id;
        const view = await this.#up(actor.id);
        if (view.status === "active") {
          const record = { ...found, usedAt: clock.now() };
          await this.records.keep(this.#key.id, record);
          return { record, made: "found" };
        }
        if (!create) throw given(view, found);
        if (outputOf(view)?.destroyed !== true) onNotice(`${found.host} may be left`);
        onNotice(`the sidecar ${title} is gone (${lossOf(view)}): it is replaced`);
      }
    }
    const place = where ?? found?.where;
    if (!create || place === undefined) throw none(this.#key, "there is none");
    return { record: await this.#create(place, await this.#count(), ttlMs), made };
  }

  /**
   * Does work over the connection; where it is lost, waits until the machine has dialled again, and
   * does it again.
   *
   * @throws SidecanaryError `host-failed` where it is lost too often, or the sidecar with it
   */
  async withLink<Result>(work: (link: WarmLink) => Promise<Result>): Promise<Result> {
    for (let attempt = 1;; attempt++) {
      const { link } = this;
      try {
        if (link === undefined) throw new TypeError("the sidecar is not in use");
        return await work(link);
      } catch (error) {
        const isLost = isSidecanaryError(error, "host-failed") &&
          error.details.kind === "reconnect";
        if (!isLost || attempt === syncRetryDefaults.maxAttempts) throw error;
        await link?.host.close();
        const view = await this.#up(this.#actor ?? "", link);
        const record = await this.records.sidecar(this.#key.id);
        if (view.status !== "active" && record !== undefined) throw given(view, record);
      }
    }
  }

  /** Destroys the sidecar; `undefined` where there is none. */
  async destroy(): Promise<Ended | undefined> {
    const found = await this.records.sidecar(this.#key.id);
    return found === undefined ? undefined : await this.#end(found);
  }

  /**
   * Gives the key back, so that others may use the sidecar beside this process, and keeps the
   * connection; nobody dials again when it is lost. Idempotent.
   */
  letGo(): Promise<void> {
    return this.#letGo ??= (async () => {
      await this.#engine.close();
      await this.#lock.release();
      await this.#store.close();
    })();
  }

  /** Gives everything back; the sidecar stays as it is. Idempotent. */
  async close(): Promise<void> {
    await this.letGo();
    for (const id of [...this.#links.keys()]) await hangUp(this.#links, id);
    for (const opening of this.#providers.values()) {
      const provider = await opening.catch(() => undefined);
      await provider?.close();
    }
    this.#providers.clear();
  }

  #register(): void {
    const ports = warmPorts({ providerOf: (where) => this.#provider(where), links: this.#links });
    // The name is in the hash of the definition, so no other engine takes this key's actors.
    this.#engine.register(provideSidecar(ports), { name: this.#machine });
    this.#engine.on({ machine: this.#machine, type: "RETRYING" }, ({ event }) => {
      const { tries, phase, failure } = event as unknown as Extract<
        SidecarEmitted,
        { type: "RETRYING" }
      >;
      // What an adopted actor begins with is no news.
      if (tries > 1 || (phase === "reattaching" && failure.code === "closed")) return;
      this.#context.onNotice(`${this.#key.title}: ${failure.message}; trying again`);
    });
  }

  #provider(where: Where): Promise<HostProvider> {
    let opening = this.#providers.get(where.label);
    if (opening === undefined) {
      opening = this.#context.open(where);
      this.#providers.set(where.label, opening);
    }
    return opening;
  }

  /** A generation that the key has never had, also where everything else of it is forgotten. */
  async #count(): Promise<number> {
    const last = await this.records.read<number>("generations", this.#key.id) ?? 0;
    await this.records.write("generations", this.#key.id, last + 1);
    return last + 1;
  }

  async #create(where: Where, generation: number, ttlMs: number): Promise<WarmRecord> {
    const { clock, folder, signal, bootRetry = bootRetryDefaults } = this.#context;
    signal.throwIfAborted();
    const provider = await this.#provider(where);
    const createdAt = clock.now();
    const expiresAt = Math.floor((createdAt + ttlMs) / 1000) * 1000;
    const run = runOf(this.#key.id, generation);
    const host = formatHostName({ owner: folder.owner, run, index: 0, expiresAt });
    const record: WarmRecord = {
      key: this.#key.id,
      title: this.#key.title,
      generation,
      where,
      place: provider.describe(),
      host,
      createdAt,
      expiresAt,
      usedAt: createdAt,
      tree: null,
    };
    const spec: WarmSpec = { host, expiresAt, where };
    const input: SidecarInput = {
      sidecar: actorId(record),
      spec: plain(spec),
      retry: bootRetry,
      reattachRetry: bootRetry,
      // A loss is answered by a new actor, with a new name and a line to the user.
      maxRestarts: 0,
    };
    await this.records.keep(this.#key.id, record);
    this.#actor = input.sidecar;
    await this.#engine.start(input.sidecar, this.#machine, { input: plain(input) });
    let view: ActorView;
    try {
      view = await this.#up(input.sidecar);
    } catch (error) {
      if (!signal.aborted) throw error;
      const ended = await this.#end(record);
      if (!ended.destroyed) {
        this.#context.onNotice(`${ended.host} may be left: ${ended.message ?? ""}`);
      }
      throw error;
    }
    if (view.status !== "active") {
      if (outputOf(view)?.destroyed === true) await this.records.keep(this.#key.id, null);
      throw given(view, record);
    }
    return record;
  }

  /** Waits until it is connected by another connection than `before`, or has ended. */
  async #up(actor: string, before?: WarmLink): Promise<ActorView> {
    const { signal } = this.#context;
    const view = await this.#engine.waitFor(actor, (each) => {
      if (each.status !== "active") return true;
      const link = this.#links.get(actor);
      return link !== undefined && link !== before && isAttached(each.value);
    }, { signal });
    if (view.status === "error" || view.status === "crashed") {
      throw new SidecanaryError(
        "internal",
        `The sidecar's machine broke: ${errorText(view.error)}`,
        {
          where: "warm sidecar",
        },
      );
    }
    return view;
  }

  async #end(record: WarmRecord): Promise<Ended> {
    const id = actorId(record);
    const { title, host } = record;
    let view = await this.#engine.actor(id);
    if (view?.status === "active") {
      await this.#engine.deliver(id, { type: "DRAIN" }, { eventId: `drain:${id}` });
      try {
        view = await this.#engine.waitFor(id, ({ status }) => status !== "active", {
          timeoutMs: UNDO_MS,
        });
      } catch (error) {
        if (!isSidecanaryError(error, "wait-timeout")) throw error;
        const message = `It was not destroyed within ${UNDO_MS} ms`;
        return { title, host, destroyed: false, message };
      }
    } else if (view !== undefined && outputOf(view)?.destroyed !== true) {
      // It was given up and may be there: one more look.
      return await this.#remove(record);
    }
    this.#actor = undefined;
    const output = view === undefined ? undefined : outputOf(view);
    const destroyed = view === undefined || output?.destroyed === true;
    if (destroyed) await this.records.keep(this.#key.id, null);
    return { title, host, destroyed, message: output?.failure?.message ?? null };
  }

  async #remove(record: WarmRecord): Promise<Ended> {
    const { title, host, where } = record;
    const { signal } = new AbortController();
    try {
      const provider = await this.#provider(where);
      const ref = await provider.find(host, signal);
      if (ref !== undefined) await provider.destroy(ref, signal);
      await this.records.keep(this.#key.id, null);
      return { title, host, destroyed: true, message: null };
    } catch (error) {
      if (!isSidecanaryError(error, "host-failed")) throw error;
      return { title, host, destroyed: false, message: error.message };
    }
  }
}

async function giveBack(store: Store, owner: string, key: WarmKey): Promise<void> {
  const actors = await store.actors({ prefix: `warm/${key.id}/`, limit: 500 });
  const held = actors.filter((actor) => actor.owner === owner).map(({ id }) => id);
  if (held.length > 0) await store.release(owner, held);
}
