import { join } from "node:path";
import type { Clock } from "../../clock.ts";
import { SidecanaryError } from "../../errors.ts";
import { type PayloadPacker, payloadPacker } from "../../sync/payload-packer.ts";
import type { Payload } from "../../sync/payload.ts";
import { readEntries } from "../../sync/read-entries.ts";
import { TreeHash } from "../../sync/tree-hash.ts";
import { bootFailure } from "../host-failed.ts";
import { parseHostName } from "../host-name.ts";
import type { HostProvider, HostRef } from "../host-provider.ts";
import type {
  Provider,
  Sidecar,
  SidecarRef,
  SidecarSpec,
  SidecarTally,
  SweepReport,
} from "../provider.ts";
import { placeOfWorker } from "./place-of-worker.ts";
import { RemotePlace, removeWorkspace, workspaceNames } from "./remote-place.ts";
import { RemoteSidecar } from "./remote-sidecar.ts";
import { openWorkspace } from "./workspace.ts";

/** How {@link createRemoteProvider} works. */
export interface RemoteOptions {
  readonly hosts: HostProvider;
  readonly payload: Payload;
  /** Whose the hosts are: see `host-name.ts`. */
  readonly owner: string;
  /**
   * What they are made for: see `host-name.ts`. Of one owner, runs that begin with the same letter
   * exclude each other: `sweep` takes another one's hosts for left behind.
   */
  readonly run: string;
  /** How many sidecars live on one host: on each, or on one after the other. */
  readonly lanesPerHost: number | readonly number[];
  /** How long until anybody may destroy a host, in ms. */
  readonly ttlMs: number;
  /**
   * What runs once on each host after the payload is there first. No lock files at all stands for
   * those of common package managers.
   */
  readonly setup?: { readonly command: string; readonly lockFiles: readonly string[] };
  /**
   * How long a command is kept whose client has gone, in ms; and how much longer than its budget a
   * command may run on a host that nobody talks to.
   * @default 60_000
   */
  readonly graceMs?: number;
  /**
   * `warm` does without namespaces where they would work too.
   * @default "any"
   */
  readonly lanes?: "any" | "warm";
  /**
   * A folder for the packs that are sent.
   * @default a folder beside the payload's repository
   */
  readonly store?: string;
  /**
   * Tells this process from every other one that works on a host: what another one runs there is
   * ended before anything else.
   * @default a name of this process
   */
  readonly process?: string;
  readonly clock: Clock;
  /** A sentence that people should see. */
  readonly onNotice: (message: string) => void;
}

const GRACE_MS = 60_000;

const LANES = { overlay: "an overlay for each variant", warm: "a copy for each lane" } as const;

/**
 * Sidecars on hosts of any kind. Workers fill the lanes of one host after the other; the lanes of a
 * host share one connection and one delivery. {@link Provider.tally} counts hosts.
 */
export function createRemoteProvider(options: RemoteOptions): Provider {
  return new Remote(options);
}

interface Lane {
  readonly sidecar: RemoteSidecar;
  /** The host's generation that the sidecar was made for. */
  readonly generation: number;
}

class Remote implements Provider {
  readonly kind: string;
  readonly warmth = "own" as const;
  readonly #options: RemoteOptions;
  readonly #places = new Map<number, RemotePlace>();
  readonly #lanes = new Map<number, Lane>();
  /** The generations that turned out to be lost before a worker had its lane there. */
  readonly #lostAt = new Map<number, number>();
  readonly #making = new Set<Promise<Sidecar>>();
  /** Hosts that may be there, by name. */
  readonly #left = new Set<string>();
  readonly #pack: PayloadPacker;
  #created = 0;
  #hash: Promise<TreeHash> | undefined;
  /** What lanes were seen to be; hosts are gone when the report is made. */
  readonly #kinds = new Set<keyof typeof LANES>();
  #isClosing = false;

  constructor(options: RemoteOptions) {
    this.kind = options.hosts.kind;
    this.#options = options;
    const { payload, store = join(payload.gitDir, "..", "packs") } = options;
    this.#pack = payloadPacker({ payload, store });
  }

  describe(): string {
    const words = [...this.#kinds].sort().map((kind) => LANES[kind]);
    return [this.#options.hosts.describe(), ...words].join(", ");
  }

  async create(spec: SidecarSpec, signal: AbortSignal): Promise<Sidecar> {
    if (this.#isClosing) throw new TypeError("the provider was closed");
    signal.throwIfAborted();
    const making = this.#create(spec, signal);
    this.#making.add(making);
    try {
      return await making;
    } finally {
      this.#making.delete(making);
    }
  }

  async remove(worker: number, signal: AbortSignal): Promise<void> {
    const lane = this.#lanes.get(worker);
    if (lane !== undefined) return await lane.sidecar.destroy();
    await this.#removeLane(worker, signal);
  }

  tally(): SidecarTally {
    const left = [...this.#left];
    return { created: this.#created, destroyed: this.#created - left.length, left };
  }

  async list(): Promise<readonly SidecarRef[]> {
    const refs = [...this.#lanes].map(([worker, { sidecar }]) => ({ id: sidecar.id, worker }));
    return await Promise.resolve(refs);
  }

  /** On machines that were there before us, each is swept over its own connection when it is up. */
  async sweep(): Promise<SweepReport> {
    const { hosts, clock } = this.#options;
    if (hosts.capacity !== null) return { removed: [], failed: [] };
    const { signal } = new AbortController();
    const removed: string[] = [];
    const failed: { name: string; reason: string }[] = [];
    for (const ref of await hosts.list(signal)) {
      if (!this.#isStale(ref.name, clock.now())) continue;
      try {
        if (!hosts.disposable) await this.#cleanUp(ref, [ref.name]);
        await hosts.destroy(ref, signal);
        removed.push(ref.name);
      } catch (error) {
        failed.push({ name: ref.name, reason: messageOf(error) });
      }
    }
    return { removed, failed };
  }

  async close(): Promise<void> {
    this.#isClosing = true;
    await Promise.allSettled(this.#making);
    const failures: string[] = [];
    const { signal } = new AbortController();
    await Promise.all([...this.#places].map(async ([index, place]) => {
      try {
        await place.destroy(signal);
        this.#places.delete(index);
        for (const [worker, { sidecar }] of this.#lanes) {
          if (this.#indexOf(worker) !== index) continue;
          sidecar.forget();
          this.#lanes.delete(worker);
        }
      } catch (error) {
        failures.push(`${place.name}: ${messageOf(error)}`);
        await place.hangUp();
      }
    }));
    if (failures.length === 0) return;
    throw new SidecanaryError(
      "sidecar-failed",
      `Not every host could be destroyed: ${failures.join("; ")}`,
      { sidecar: [...this.#left].join(", ") },
    );
  }

  async #create(spec: SidecarSpec, signal: AbortSignal): Promise<Sidecar> {
    const { worker } = spec;
    const place = this.#placeOf(worker);
    const before = this.#lanes.get(worker);
    if (spec.fresh === true) {
      // A new one that only needs longer to come up is not replaced again.
      const lost = this.#lostAt.get(worker) ?? before?.generation ?? place.generation;
      await place.replace(lost, signal);
    }
    try {
      this.#kinds.add((await place.connect(signal)).lanes);
      this.#lostAt.delete(worker);
    } catch (error) {
      const isLost = bootFailure(error).class === "sidecar-lost";
      if (isLost) this.#lostAt.set(worker, place.generation);
      throw error;
    }
    before?.sidecar.forget();
    const { payload, graceMs = GRACE_MS, ttlMs, clock, lanesPerHost } = this.#options;
    const { lane } = placeOfWorker(worker, lanesPerHost);
    const sidecar = new RemoteSidecar({
      id: `${place.name}/${lane}`,
      place,
      generation: place.generation,
      lane,
      spec,
      payload: () => this.#payload(),
      cwd: payload.cwd === "" ? "" : `/${payload.cwd}`,
      graceMs,
      ttlMs,
      clock,
      onDestroy: async () => {
        await this.#removeLane(worker, new AbortController().signal);
        this.#lanes.delete(worker);
      },
    });
    this.#lanes.set(worker, { sidecar, generation: place.generation });
    return sidecar;
  }

  /** The host goes with its last lane. */
  async #removeLane(worker: number, signal: AbortSignal): Promise<void> {
    const index = this.#indexOf(worker);
    const place = this.#placeOf(worker);
    const others = [...this.#lanes.keys()].some((each) =>
      each !== worker && this.#indexOf(each) === index
    );
    if (!others) return await place.destroy(signal);
    await place.connect(signal);
    const { lane } = placeOfWorker(worker, this.#options.lanesPerHost);
    const words = ["remove", String(lane)];
    const answer = await place.call({ words, signal });
    if (answer.kind === "ok") return;
    throw new SidecanaryError(
      "sidecar-failed",
      `Sidecar ${worker} could not be removed from ${place.name}: ${answer.message}`,
      { sidecar: place.name },
    );
  }

  #placeOf(worker: number): RemotePlace {
    const index = this.#indexOf(worker);
    let place = this.#places.get(index);
    if (place !== undefined) return place;
    place = new RemotePlace(index, {
      options: this.#options,
      pack: this.#pack,
      onMaybe: (name) => {
        if (this.#left.has(name)) return;
        this.#left.add(name);
        this.#created++;
      },
      onGone: (name) => void this.#left.delete(name),
      isStale: (name) => this.#isStale(name, this.#options.clock.now()),
      onNever: (name) => {
        if (this.#left.delete(name)) this.#created--;
      },
    });
    this.#places.set(index, place);
    return place;
  }

  #indexOf(worker: number): number {
    return placeOfWorker(worker, this.#options.lanesPerHost).host;
  }

  #payload(): Promise<TreeHash> {
    this.#hash ??= readEntries(this.#options.payload).then((entries) => new TreeHash(entries));
    return this.#hash;
  }

  #isStale(name: string, now: number): boolean {
    const parsed = parseHostName(name);
    if (parsed === undefined) return false;
    const { owner, run } = this.#options;
    // Runs of one kind exclude each other; the first letter tells the kind.
    const isDead = parsed.owner === owner && parsed.run !== run && parsed.run[0] === run[0];
    return parsed.expiresAt <= now || isDead;
  }

  /** Removes our workspaces from a host that outlives us. */
  async #cleanUp(ref: HostRef, names: readonly string[]): Promise<void> {
    const { signal } = new AbortController();
    const host = await this.#options.hosts.connect(ref, signal);
    try {
      const there = await workspaceNames(host, signal);
      for (const name of names) {
        if (!there.includes(name)) continue;
        const { dir } = await openWorkspace(host, { name, signal });
        await removeWorkspace(host, dir, signal);
      }
    } finally {
      await host.close();
    }
  }
}

function messageOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}
