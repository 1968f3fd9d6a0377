import type { Clock } from "../../clock.ts";
import { isSidecanaryError, type SidecanaryError } from "../../errors.ts";
import type { HostFault } from "../../host-fault.ts";
import type { Random } from "../../random.ts";
import type { HostKeyPins } from "../../ssh/pinned-host-keys.ts";
import type { SshIdentity } from "../../ssh/ssh-identity.ts";
import { unlessAborted } from "../../unless-aborted.ts";
import type { Host } from "../host.ts";
import { hostFailed } from "../host-failed.ts";
import { parseHostName } from "../host-name.ts";
import type { HostProvider, HostRef, HostSpec } from "../host-provider.ts";
import { formatAddress } from "./address.ts";
import { connectInstance } from "./connect-instance.ts";
import { isSamePlace } from "./is-same-place.ts";
import type { Instance, SidecarApi } from "./sidecar-api.ts";

/** How hosts behind the sidecar API are made and reached. */
export interface CircleciHostsOptions {
  readonly api: SidecarApi;
  /**
   * `host` for a host of our own (`sidecanary sidecar serve`).
   * @default "circleci"
   */
  readonly kind?: "circleci" | "host";
  /** The id of the organisation. */
  readonly org: string;
  /**
   * The id of the snapshot that hosts are made from.
   * @default CircleCI's own image
   */
  readonly image?: string;
  readonly identity: SshIdentity;
  readonly pins: HostKeyPins;
  readonly clock: Clock;
  readonly random: Random;
  /**
   * Whose names make a listed host one of ours: see `host-name.ts`. The first host key that such a
   * host shows is trusted.
   * @default only hosts that this process made, or was asked for by name
   */
  readonly owner?: string;
  /** Gets a sentence about every sidecar that may have been left behind. */
  readonly onWarning: (message: string) => void;
}

/** Hosts behind the sidecar API: CircleCI's, or our own. */
export function createCircleciHosts(options: CircleciHostsOptions): HostProvider {
  return new CircleciHosts(options);
}

/** Answers to a creation after which nothing has been made. Every other fault leaves it open. */
const NOTHING_MADE: ReadonlySet<HostFault> = new Set<HostFault>([
  "refused",
  "unresolved",
  "resolver-down",
  "unreachable",
  "tls",
  "unauthorised",
  "not-found",
  "bad-request",
  "client-outdated",
  "limit-reached",
  "rate-limited",
]);

class CircleciHosts implements HostProvider {
  readonly kind: "circleci" | "host";
  readonly capacity = null;
  readonly disposable = true;
  readonly #options: CircleciHostsOptions;
  /** Sidecars that this process made. */
  readonly #made = new Set<string>();
  /** Those of them that it has not connected to yet: the API may not know them everywhere yet. */
  readonly #fresh = new Set<string>();
  /** Names under which there may be more than one sidecar, or one whose id nobody told us. */
  readonly #unsure = new Set<string>();
  /** Creations that nobody waits for any more, by name. They never reject. */
  readonly #abandoned = new Map<string, Promise<void>>();

  constructor(options: CircleciHostsOptions) {
    this.#options = options;
    this.kind = options.kind ?? "circleci";
  }

  describe(): string {
    const { api, image } = this.#options;
    return `sidecars of ${api.service}${image === undefined ? "" : ` from image ${image}`}`;
  }

  async find(name: string, signal: AbortSignal): Promise<HostRef | undefined> {
    await this.#untilSettled(name, signal);
    const found = await this.#withName(name, signal);
    if (found.length > 1) this.#unsure.add(name);
    const [instance] = found;
    return instance === undefined ? undefined : toRef(instance, true);
  }

  /**
   * The request itself is not ended by `signal`: nobody would know what became of it. It is waited for
   * in the background, and what it made is deleted; {@link CircleciHosts.find} of this name and
   * {@link CircleciHosts.close} wait for that.
   */
  async create({ name }: HostSpec, signal: AbortSignal): Promise<HostRef> {
    await this.#untilSettled(name, signal);
    signal.throwIfAborted();
    const made = this.#make(name);
    try {
      const instance = await unlessAborted(made, signal);
      this.#made.add(instance.id);
      this.#fresh.add(instance.id);
      return toRef(instance, true);
    } catch (error) {
      if (signal.aborted) this.#abandon(name, made);
      throw error;
    }
  }

  async connect(ref: HostRef, signal: AbortSignal): Promise<Host> {
    const host = await connectInstance(
      { ...this.#options, fresh: this.#fresh.has(ref.id) },
      ref,
      signal,
    );
    this.#fresh.delete(ref.id);
    return host;
  }

  /** Waits for creations that were given up, so that none comes up unseen. */
  async list(signal: AbortSignal): Promise<readonly HostRef[]> {
    await unlessAborted(Promise.all(this.#abandoned.values()), signal);
    const { owner } = this.#options;
    const refs: HostRef[] = [];
    for (const instance of await this.#instances(signal)) {
      const { id, name } = instance;
      const parsed = parseHostName(name);
      if (parsed === undefined) continue;
      if (refs.some((other) => isSamePlace(other.name, name))) this.#unsure.add(name);
      refs.push(toRef(instance, parsed.owner === owner || this.#made.has(id)));
    }
    return refs;
  }

  /** Not ended by `signal`, so that an interrupted run deletes what it made. */
  async destroy({ id, name }: HostRef, _signal: AbortSignal): Promise<void> {
    const signal = new AbortController().signal;
    await this.#delete(id, signal);
    const unsure = [...this.#unsure].filter((other) => isSamePlace(other, name));
    if (unsure.length === 0) return;
    for (const twin of await this.#withName(name, signal)) await this.#delete(twin.id, signal);
    for (const other of unsure) this.#unsure.delete(other);
  }

  async close(): Promise<void> {
    await Promise.all(this.#abandoned.values());
  }

  async #delete(id: string, signal: AbortSignal): Promise<void> {
    await this.#options.api.delete(id, signal);
    this.#made.delete(id);
    this.#fresh.delete(id);
    try {
      await this.#options.pins.remove(id);
    } catch (error) {
      // The sidecar is gone all the same.
      this.#options.onWarning(`The host key of sidecar ${id} stays pinned: ${messageOf(error)}`);
    }
  }

  /** The caller's own sidecars in this organisation, also where the API answers with more. */
  async #instances(signal: AbortSignal): Promise<readonly Instance[]> {
    const { api, org } = this.#options;
    const instances = await api.list(org, false, signal);
    return instances.filter((instance) => instance.org === undefined || instance.org === org);
  }

  /** Those at the place of `name`, the one that lives longest first. */
  async #withName(name: string, signal: AbortSignal): Promise<readonly Instance[]> {
    const instances = await this.#instances(signal);
    return instances.filter((instance) => isSamePlace(instance.name, name))
      .sort((a, b) => expiry(b) - expiry(a) || (a.id < b.id ? -1 : 1));
  }

  async #make(name: string): Promise<Instance> {
    const { api, org, image } = this.#options;
    const signal = new AbortController().signal;
    try {
      return await api.create({ name, org, ...(image === undefined ? {} : { image }) }, signal);
    } catch (error) {
      if (!isSidecanaryError(error, "host-failed")) throw error;
      if (NOTHING_MADE.has(error.details.fault)) throw error;
      this.#unsure.add(name);
      const [instance] = await this.#lookAfter(error, name, signal);
      if (instance === undefined) throw error;
      return instance;
    }
  }

  async #lookAfter(
    creation: SidecanaryError<"host-failed">,
    name: string,
    signal: AbortSignal,
  ): Promise<readonly Instance[]> {
    try {
      return await this.#withName(name, signal);
    } catch (error) {
      throw hostFailed(
        `${creation.message}. Whether it was made is not known: ${messageOf(error)}`,
        creation.details,
        error,
      );
    }
  }

  #abandon(name: string, made: Promise<Instance>): void {
    const settled = this.#discard(name, made).finally(() => {
      if (this.#abandoned.get(name) === settled) this.#abandoned.delete(name);
    });
    this.#abandoned.set(name, settled);
  }

  async #discard(name: string, made: Promise<Instance>): Promise<void> {
    const left = (error: unknown) => {
      this.#options.onWarning(`Sidecar ${name} may have been left behind: ${messageOf(error)}`);
    };
    let instance: Instance;
    try {
      instance = await made;
    } catch (error) {
      return isSidecanaryError(error, "host-failed") && NOTHING_MADE.has(error.details.fault)
        ? undefined
        : left(error);
    }
    await this.#delete(instance.id, new AbortController().signal).catch(left);
  }

  /** Waits for an abandoned creation of this name, so that it is neither found nor made twice. */
  async #untilSettled(name: string, signal: AbortSignal): Promise<void> {
    for (const [other, settled] of this.#abandoned) {
      if (isSamePlace(other, name)) await unlessAborted(settled, signal);
    }
  }
}

function toRef({ id, name, hostKey }: Instance, ours: boolean): HostRef {
  const address = formatAddress(hostKey === undefined ? { ours } : { ours, hostKey });
  return { id, name, address };
}

function messageOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}

function expiry({ name }: Instance): number {
  return parseHostName(name)?.expiresAt ?? 0;
}
