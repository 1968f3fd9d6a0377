import { randomBytes } from "node:crypto";
import type { Clock } from "../../clock.ts";
import { SidecanaryError } from "../../errors.ts";
import type { TreeHash } from "../../sync/tree-hash.ts";
import type { Change, Sandbox, Sidecar, SidecarSpec, SyncProgress } from "../provider.ts";
import { changeScript, stamp } from "./change-script.ts";
import type { LaneAnswer } from "./lane-call.ts";
import type { RemotePlace } from "./remote-place.ts";
import { RemoteSandbox } from "./remote-sandbox.ts";

/** What a {@link RemoteSidecar} is made of. */
export interface RemoteSidecarParts {
  readonly id: string;
  readonly place: RemotePlace;
  /** The place's generation that this is a lane of. */
  readonly generation: number;
  /** The place among the lanes of the host. */
  readonly lane: number;
  readonly spec: SidecarSpec;
  readonly payload: () => Promise<TreeHash>;
  /** The working directory below the tree: `""` or `/packages/core`. */
  readonly cwd: string;
  readonly graceMs: number;
  /** How long a sandbox may live, in ms. */
  readonly ttlMs: number;
  readonly clock: Clock;
  readonly onDestroy: () => Promise<void>;
}

/** One lane of a host. */
export class RemoteSidecar implements Sidecar {
  readonly id: string;
  readonly #parts: RemoteSidecarParts;
  /** The last time of modification given to a path, in seconds since the epoch. */
  readonly #times = new Map<string, number>();
  #floor = 0;
  #latest = 0;
  #frozen = "-";
  #opening: Promise<Sandbox> | undefined;
  #open: RemoteSandbox | undefined;
  #isDestroyed = false;
  #destroying: Promise<void> | undefined;

  constructor(parts: RemoteSidecarParts) {
    this.id = parts.id;
    this.#parts = parts;
  }

  async sync(signal: AbortSignal, onProgress?: (progress: SyncProgress) => void): Promise<void> {
    await this.#parts.place.sync(signal, onProgress);
    this.#assertCurrent();
  }

  async attach(signal: AbortSignal): Promise<void> {
    this.#assertCurrent();
    await this.#parts.place.connect(signal);
    this.#assertCurrent();
  }

  onDisconnect(listener: (error: Error) => void): () => void {
    return this.#parts.place.onDisconnect(listener);
  }

  async open(change: Change | undefined, signal: AbortSignal): Promise<Sandbox> {
    if (this.#isDestroyed) throw new TypeError(`sidecar ${this.id} was destroyed`);
    if (this.#open !== undefined || this.#opening !== undefined) {
      throw new TypeError(`sidecar ${this.id} has an open sandbox`);
    }
    this.#opening = this.#openOne(change, signal);
    try {
      return await this.#opening;
    } finally {
      this.#opening = undefined;
    }
  }

  async freeze(sandbox: Sandbox): Promise<void> {
    const { place, lane } = this.#parts;
    const open = this.#open;
    if (open === undefined || open !== sandbox) {
      throw new TypeError(`the sandbox to freeze is not the open one of sidecar ${this.id}`);
    }
    this.#assertCurrent();
    const words = ["freeze", String(lane), open.id];
    this.#check(await place.call({ words, signal: AbortSignal.timeout(FREEZE_MS) }), "be kept");
    this.#frozen = open.id;
    // Nothing is handed out within the second that the last file may have been written in.
    this.#floor = Math.floor(place.hostSeconds()) + 2;
    await open.close();
  }

  async alive(): Promise<boolean> {
    if (this.#isDestroyed) return false;
    const { place, generation } = this.#parts;
    const { link } = place;
    if (link === undefined || generation !== place.generation) return false;
    try {
      const exit = await link.host.exec({
        command: "exit 0",
        signal: AbortSignal.timeout(ALIVE_MS),
      });
      return exit.kind === "exit" && exit.code === 0;
    } catch {
      return false;
    }
  }

  async destroy(): Promise<void> {
    this.#isDestroyed = true;
    this.#destroying ??= this.#destroy();
    try {
      await this.#destroying;
    } catch (error) {
      this.#destroying = undefined;
      throw error;
    }
  }

  /** The host is gone, or nobody's any more: nothing is left to be destroyed. */
  forget(): void {
    this.#isDestroyed = true;
    this.#destroying ??= Promise.resolve();
  }

  async #destroy(): Promise<void> {
    // Its failure is told to who opens.
    await this.#opening?.catch(() => {});
    await this.#parts.onDestroy();
  }

  async #openOne(change: Change | undefined, signal: AbortSignal): Promise<Sandbox> {
    const { place, lane, spec, payload, cwd, graceMs, ttlMs, clock } = this.#parts;
    await place.sync(signal);
    const tree = await payload();
    this.#assertCurrent();
    const paths = change?.files.map(({ path }) => path) ?? [];
    const seconds = this.#nextTime(paths);
    const script = change === undefined ? undefined : changeScript(change, tree, seconds);
    // What is put back before must not get a time that a change had.
    const back = stamp(this.#latest + 2);
    this.#latest = Math.max(this.#latest + (script === undefined ? 2 : 4), seconds);
    const id = randomBytes(6).toString("hex");
    const words = ["open", String(lane), id, script?.script ?? "-", back];
    this.#check(
      await place.call({
        words: [...words, String(Math.ceil(ttlMs / 1000)), this.#frozen, script?.text ?? ""],
        ...(script === undefined ? {} : { stdin: script.pack }),
        signal,
      }),
      "be opened",
    );
    const sandbox = new RemoteSandbox({
      place,
      lane,
      id,
      cwd,
      env: sidecarEnv(spec),
      graceMs,
      clock,
      dispose: () => {
        if (this.#open === sandbox) this.#open = undefined;
      },
    });
    if (this.#isDestroyed) {
      await sandbox.close();
      throw new TypeError(`sidecar ${this.id} was destroyed while it opened a sandbox`);
    }
    this.#open = sandbox;
    return sandbox;
  }

  /**
   * A time for new contents of `paths`, in whole seconds: caches take a file for unchanged when the
   * second and the size are the same, or when it is older than what was built from it.
   */
  #nextTime(paths: readonly string[]): number {
    let seconds = Math.max(Math.ceil(this.#parts.place.hostSeconds()), this.#floor);
    for (const path of paths) seconds = Math.max(seconds, (this.#times.get(path) ?? 0) + 2);
    for (const path of paths) this.#times.set(path, seconds);
    return seconds;
  }

  /** What this lane had on the host went with it where another lane has replaced it since. */
  #assertCurrent(): void {
    const { place, generation } = this.#parts;
    if (generation !== place.generation) throw place.replaced;
  }

  #check(answer: LaneAnswer, what: string): void {
    if (answer.kind === "ok") return;
    throw new SidecanaryError(
      "sidecar-failed",
      `The sandbox of sidecar ${this.id} could not ${what}: ${answer.message}`,
      { sidecar: this.id },
    );
  }
}

const FREEZE_MS = 30 * 60_000;
const ALIVE_MS = 10_000;

/** How many ports lie between the port bases of two workers. */
const PORTS_PER_WORKER = 100;
/** Port bases lie below the range that systems hand out for outgoing connections. */
const FIRST_PORT = 20_000;
const LAST_PORT = 32_000;

/** What keeps two workers apart; the host adds `TMPDIR`. */
function sidecarEnv({ worker, env }: SidecarSpec): Record<string, string> {
  const span = (LAST_PORT - FIRST_PORT) / PORTS_PER_WORKER;
  return {
    ...env,
    SIDECANARY_WORKER: String(worker),
    SIDECANARY_PORT_BASE: String(FIRST_PORT + (worker % span) * PORTS_PER_WORKER),
  };
}
