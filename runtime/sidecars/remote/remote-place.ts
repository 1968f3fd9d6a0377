import { Buffer } from "node:buffer";
import { createHash, randomBytes } from "node:crypto";
import type { PayloadPacker } from "../../sync/payload-packer.ts";
import { nextTurn } from "../../next-turn.ts";
import { isSidecanaryError, SidecanaryError } from "../../errors.ts";
import { unlessAborted } from "../../unless-aborted.ts";
import type { Host } from "../host.ts";
import { hostFailed } from "../host-failed.ts";
import { formatHostName, isSameHost, parseHostName } from "../host-name.ts";
import type { HostProvider, HostRef } from "../host-provider.ts";
import type { SyncProgress } from "../provider.ts";
import { deliverPayload } from "./deliver.ts";
import { callLane, type LaneAnswer, type LaneCall } from "./lane-call.ts";
import { LANE_SCRIPT } from "./lane-script.ts";
import type { RemoteOptions } from "./remote-provider.ts";
import { runSetup } from "./setup.ts";
import { openWorkspace, type Workspace } from "./workspace.ts";
import { quoteWord } from "./workspace-script.ts";

/** A connection that commands can be sent over, and what is known of the machine behind it. */
export interface Link {
  readonly host: Host;
  readonly workspace: Workspace;
  /** How lanes are isolated there. */
  readonly lanes: "overlay" | "warm";
  /** The kernel's id of its boot; `-` where it has none. */
  readonly boot: string;
  /** How far the host's clock is ahead of ours, in ms. */
  readonly skewMs: number;
  /** The payload is there, verified, and set up. */
  isSynced: boolean;
}

/** What all hosts of a provider share. */
export interface PlaceContext {
  readonly options: RemoteOptions;
  readonly pack: PayloadPacker;
  /** A host that may be there from now on. */
  readonly onMaybe: (name: string) => void;
  readonly onGone: (name: string) => void;
  /** Whether a dead run left what has this name. */
  readonly isStale: (name: string) => boolean;
  /** A host that was asked for and never came to be. */
  readonly onNever: (name: string) => void;
}

/** Tells this process from every other one that works on a host. */
const PROCESS = randomBytes(8).toString("hex");
const SETUP_MS = 30 * 60_000;

/**
 * One host of a provider: made once, dialled once at a time, delivered to once, for all its lanes.
 */
export class RemotePlace {
  readonly index: number;
  readonly #context: PlaceContext;
  readonly #listeners = new Set<(error: Error) => void>();
  /** Ends what is shared by all lanes: nobody of them may end it for the others. */
  #ending = new AbortController();
  readonly #progress = new Set<(progress: SyncProgress) => void>();
  #ref: HostRef | undefined;
  /** Our workspace's name on a machine that was there before us. */
  #workspace: string | undefined;
  /** What was asked for without an answer. */
  #asked: string | undefined;
  #link: Link | undefined;
  #lost: Error | undefined;
  #dialling: Promise<Link> | undefined;
  #syncing: Promise<Link> | undefined;
  #replacing: Promise<void> | undefined;
  #sweeping = Promise.resolve();
  /** How often the host was replaced. */
  generation = 0;

  constructor(index: number, context: PlaceContext) {
    this.index = index;
    this.#context = context;
  }

  /** For messages. */
  get name(): string {
    return this.#workspace ?? this.#ref?.name ?? `host ${this.index}`;
  }

  /** The connection, where it stands. */
  get link(): Link | undefined {
    return this.#link;
  }

  /** Why the connection was lost. */
  get lost(): Error {
    return this.#lost ?? hostFailed(`There is no connection to ${this.name}`, {
      host: this.name,
      fault: "closed",
      kind: "reconnect",
    });
  }

  /** What a lane is told that stood on a host which another one stands for now. */
  get replaced(): Error {
    return hostFailed(`${this.name} was made anew for another sidecar on it`, {
      host: this.name,
      fault: "gone",
      kind: "never",
    });
  }

  /** Makes or finds the host where none is known, dials where there is no connection. */
  async connect(signal: AbortSignal): Promise<Link> {
    signal.throwIfAborted();
    // The news of a connection's end may be on its way.
    await nextTurn();
    if (this.#link !== undefined) return this.#link;
    this.#dialling ??= this.#dial().finally(() => this.#dialling = undefined);
    return await unlessAborted(this.#dialling, signal);
  }

  /** {@link RemotePlace.connect}, and the payload is there. */
  async sync(
    signal: AbortSignal,
    onProgress?: (progress: SyncProgress) => void,
  ): Promise<Link> {
    signal.throwIfAborted();
    if (this.#link?.isSynced === true) return this.#link;
    if (onProgress !== undefined) this.#progress.add(onProgress);
    try {
      this.#syncing ??= this.#sync().finally(() => this.#syncing = undefined);
      return await unlessAborted(this.#syncing, signal);
    } finally {
      if (onProgress !== undefined) this.#progress.delete(onProgress);
    }
  }

  onDisconnect(listener: (error: Error) => void): () => void {
    const own = (error: Error) => listener(error);
    this.#listeners.add(own);
    if (this.#link === undefined && this.#lost !== undefined) listener(this.#lost);
    return () => void this.#listeners.delete(own);
  }

  /**
   * Calls a verb of the lane script.
   *
   * @throws SidecanaryError `host-failed`, also where there is no connection
   */
  async call(call: Omit<LaneCall, "dir">): Promise<LaneAnswer> {
    const link = this.#link;
    if (link === undefined) throw this.lost;
    return await callLane(link.host, { ...call, dir: link.workspace.dir });
  }

  /** Seconds on the host's clock. */
  hostSeconds(): number {
    return (this.#context.options.clock.now() + (this.#link?.skewMs ?? 0)) / 1000;
  }

  /** A new host, or a new workspace, in place of the one of `generation`; once for all who ask. */
  async replace(generation: number, signal: AbortSignal): Promise<void> {
    signal.throwIfAborted();
    if (generation !== this.generation) return;
    this.#replacing ??= this.#replace().finally(() => this.#replacing = undefined);
    await unlessAborted(this.#replacing, signal);
  }

  /**
   * Ends what runs there and removes the host, or what we have on it. A dial, a delivery or a setup
   * that is under way is given up: it may take longer than anybody waits after an interrupt.
   */
  async destroy(signal: AbortSignal): Promise<void> {
    const { name } = this;
    this.#ending.abort(hostFailed(`${name} is removed`, {
      host: name,
      fault: "closed",
      kind: "reconnect",
    }));
    await Promise.allSettled([this.#dialling, this.#syncing, this.#replacing]);
    this.#ending = new AbortController();
    await this.#remove(signal);
  }

  /** Ends the connection; the host stays. */
  async hangUp(): Promise<void> {
    const link = this.#link;
    this.#link = undefined;
    await link?.host.close();
  }

  async #replace(): Promise<void> {
    await Promise.allSettled([this.#dialling, this.#syncing]);
    await this.#remove(this.#ending.signal);
    this.generation++;
    // The other lanes stood on it too, also where their connection was not lost before.
    for (const listener of [...this.#listeners]) listener(this.replaced);
  }

  async #remove(signal: AbortSignal): Promise<void> {
    const { hosts } = this.#context.options;
    if (isFixed(hosts)) return await this.#leave(signal);
    const ref = this.#ref ?? await this.#findAsked(signal);
    if (ref === undefined) return;
    this.#ref = ref;
    if (!hosts.disposable) {
      const { host, workspace } = await this.connect(signal);
      await removeWorkspace(host, workspace.dir, signal);
    }
    await this.hangUp();
    await hosts.destroy(ref, signal);
    this.#context.onGone(ref.name);
    this.#ref = undefined;
    this.#lost = undefined;
  }

  /** On a machine that was there before us, all there is to remove is what we have on it. */
  async #leave(signal: AbortSignal): Promise<void> {
    if (this.#workspace === undefined) return;
    const { host, workspace } = await this.connect(signal);
    await this.#sweeping;
    await removeWorkspace(host, workspace.dir, signal);
    await this.hangUp();
    this.#context.onGone(this.#workspace);
    this.#workspace = undefined;
    this.#lost = undefined;
  }

  /** Where this process has asked for nothing, not being able to look leaves nothing of its behind. */
  async #findAsked(signal: AbortSignal): Promise<HostRef | undefined> {
    try {
      return await this.#find(signal);
    } catch (error) {
      if (this.#asked !== undefined || !isSidecanaryError(error, "host-failed")) throw error;
      return undefined;
    }
  }

  async #find(signal: AbortSignal): Promise<HostRef | undefined> {
    const { hosts, owner, run } = this.#context.options;
    const wanted = { owner, run, index: this.index, expiresAt: 0 };
    for (const ref of await hosts.list(signal, this.index)) {
      const name = parseHostName(ref.name);
      if (name === undefined || !isSameHost(name, wanted)) continue;
      this.#context.onMaybe(ref.name);
      if (this.#asked === ref.name) this.#asked = undefined;
      return ref;
    }
    if (this.#asked !== undefined) this.#context.onNever(this.#asked);
    this.#asked = undefined;
    return undefined;
  }

  async #make(signal: AbortSignal): Promise<HostRef> {
    const { hosts, owner, run, ttlMs, clock } = this.#context.options;
    const expiresAt = clock.now() + ttlMs;
    const name = formatHostName({ owner, run, index: this.index, expiresAt });
    if (isFixed(hosts)) return await hosts.create({ name, index: this.index, expiresAt }, signal);
    const found = await this.#find(signal);
    if (found !== undefined) return found;
    this.#context.onMaybe(name);
    this.#asked = name;
    try {
      const ref = await hosts.create({ name, index: this.index, expiresAt }, signal);
      this.#asked = undefined;
      return ref;
    } catch (error) {
      // What is refused for good has made nothing.
      if (isSidecanaryError(error, "host-failed") && error.details.kind === "never") {
        this.#context.onNever(name);
        this.#asked = undefined;
      }
      throw error;
    }
  }

  async #dial(): Promise<Link> {
    const { signal } = this.#ending;
    const { options } = this.#context;
    this.#ref ??= await this.#make(signal);
    const host = await options.hosts.connect(this.#ref, signal);
    try {
      const link = await this.#prepare(host, this.#ref, signal);
      this.#link = link;
      this.#lost = undefined;
      void host.closed.then((error) => this.#left(link, error));
      return link;
    } catch (error) {
      await host.close();
      throw error;
    }
  }

  #left(link: Link, error: Error | undefined): void {
    if (this.#link !== link) return;
    this.#link = undefined;
    this.#lost = error ?? hostFailed(`The connection to ${link.host.name} was closed`, {
      host: link.host.name,
      fault: "closed",
      kind: "reconnect",
    });
    for (const listener of [...this.#listeners]) listener(this.#lost);
  }

  async #prepare(host: Host, ref: HostRef, signal: AbortSignal): Promise<Link> {
    const { lanes, clock, hosts, process = PROCESS } = this.#context.options;
    const names = hosts.disposable ? [] : await workspaceNames(host, signal);
    const name = names.find((each) => this.#isHere(each)) ?? ref.name;
    const workspace = await openWorkspace(host, { name, signal });
    if (isFixed(hosts)) {
      this.#workspace = name;
      this.#context.onMaybe(name);
      this.#sweeping = this.#sweep(host, names.filter((each) => this.#context.isStale(each)));
    }
    const { dir } = workspace;
    if (!await putScript(host, dir, signal)) throw unusable(host, "our script cannot be written");
    const words = ["init", process, lanes === "warm" ? "warm" : "any"];
    const answer = await callLane(host, { dir, words, signal });
    if (answer.kind !== "ok") throw unusable(host, answer.message);
    const [, kind, date = "", boot = "-"] = answer.words;
    const skewMs = parseDate(date) - clock.now();
    return {
      host,
      workspace,
      lanes: kind === "overlay" ? "overlay" : "warm",
      boot,
      skewMs,
      isSynced: false,
    };
  }

  /** Whether a name is one that an earlier process may have given to this place. */
  #isHere(name: string): boolean {
    const { owner, run } = this.#context.options;
    const parsed = parseHostName(name);
    const here = { owner, run, index: this.index, expiresAt: 0 };
    return parsed !== undefined && isSameHost(parsed, here);
  }

  /** Removes what dead runs have left on a machine, over the connection that is there. */
  async #sweep(host: Host, names: readonly string[]): Promise<void> {
    const { signal } = new AbortController();
    const { onNotice } = this.#context.options;
    for (const name of names) {
      try {
        const { dir } = await openWorkspace(host, { name, signal });
        await removeWorkspace(host, dir, signal);
        onNotice(`${name} on ${host.name} was left by an earlier run; it is gone now`);
      } catch (error) {
        const why = error instanceof Error ? error.message : String(error);
        onNotice(`${name} may be left on ${host.name}: ${why}`);
      }
    }
  }

  async #sync(): Promise<Link> {
    const { signal } = this.#ending;
    const { options } = this.#context;
    const { payload, clock, setup, onNotice } = options;
    const link = await this.connect(signal);
    if (link.isSynced) return link;
    const { host, workspace } = link;
    const delivery = await deliverPayload(host, workspace, {
      tree: payload.tree,
      pack: this.#context.pack,
      signal,
      onProgress: (progress) => {
        for (const each of this.#progress) each(progress);
      },
    });
    for (const warning of delivery.warnings) onNotice(warning);
    if (setup !== undefined) {
      const { restored } = await runSetup(host, workspace, {
        command: setup.command,
        ...(setup.lockFiles.length === 0 ? {} : { lockFiles: setup.lockFiles }),
        payload,
        timeoutMs: SETUP_MS,
        signal,
        clock,
      });
      for (const path of restored) {
        onNotice(`the setup changed "${path}" on ${host.name}; it was put back`);
      }
    }
    const words = ["base", payload.tree, setup === undefined ? "-" : sha256(setup.command)];
    const answer = await callLane(host, { dir: workspace.dir, words, signal });
    if (answer.kind !== "ok") throw unusable(host, answer.message);
    link.isSynced = true;
    return link;
  }
}

/** Whether hosts are machines that were there before us, as many as there are. */
function isFixed({ capacity }: HostProvider): boolean {
  return capacity !== null;
}

/** The names of the workspaces on a host. */
export async function workspaceNames(host: Host, signal: AbortSignal): Promise<string[]> {
  let text = "";
  const exit = await host.exec({
    command:
      'for d in "${XDG_CACHE_HOME:-$HOME/.cache}/sidecanary" "/tmp/sidecanary-$(id -u)"; do ' +
      '[ -d "$d" ] && ls "$d"; done; exit 0',
    onStdout: (chunk) => text += Buffer.from(chunk).toString("latin1"),
    signal,
  });
  if (exit.kind !== "exit" || exit.code !== 0) throw unusable(host, "it does not list its folders");
  return text.split("\n");
}

/**
 * Ends and removes what is in a workspace.
 *
 * @throws SidecanaryError `sidecar-failed`, `host-failed`
 */
export async function removeWorkspace(
  host: Host,
  dir: string,
  signal: AbortSignal,
): Promise<void> {
  const call = { dir, words: ["destroy"], signal };
  let answer = await callLane(host, call);
  const isWithout = answer.kind === "failed" && answer.code === "gone";
  // What runs there is ended by the script alone, also where somebody has removed it.
  if (isWithout && await putScript(host, dir, signal)) answer = await callLane(host, call);
  if (answer.kind === "ok") return;
  throw new SidecanaryError(
    "sidecar-failed",
    `The folder ${dir} on ${host.name} could not be removed; run ${dir}/destroy.sh there: ` +
      answer.message,
    { sidecar: host.name },
  );
}

/** Whether the script of the lanes stands in a workspace now. */
async function putScript(host: Host, dir: string, signal: AbortSignal): Promise<boolean> {
  const [lanes, draft, path] = ["lanes", "lane.sh.new", "lane.sh"].map((name) =>
    quoteWord(`${dir}/${name}`)
  );
  const command = `mkdir -p -m 700 ${lanes} && cat > ${draft} && mv -f ${draft} ${path}`;
  const exit = await host.exec({ command, stdin: Buffer.from(LANE_SCRIPT), signal });
  return exit.kind === "exit" && exit.code === 0;
}

function unusable(host: Host, why: string): SidecanaryError {
  return hostFailed(
    `${host.name} cannot hold sidecars: ${why}`,
    { host: host.name, fault: "sandbox-refused", kind: "while-booting" },
  );
}

function sha256(text: string): string {
  return createHash("sha256").update(text).digest("hex");
}

/** `20260102030405`, in UTC. */
function parseDate(text: string): number {
  const [, ...parts] = /^(\d{4})(\d\d)(\d\d)(\d\d)(\d\d)(\d\d)$/.exec(text) ?? [];
  const [year = 1970, month = 1, day = 1, hour = 0, minute = 0, second = 0] = parts.map(Number);
  return Date.UTC(year, month - 1, day, hour, minute, second);
}
