import type { Host } from "./host.ts";

/** A host that is to be made. */
export interface HostSpec {
  /** Unique; the host is found again by it. See `host-name.ts`. */
  readonly name: string;
  /** The place among the hosts of this run, from 0. */
  readonly index: number;
  /** When anybody may destroy it, in ms since the epoch. The name says so too. */
  readonly expiresAt: number;
}

/** A host that a provider knows of: plain data, stored in snapshots. */
export interface HostRef {
  /** The provider's own id. */
  readonly id: string;
  readonly name: string;
  /** What the provider needs to connect: an address, a pinned host key. JSON, no secrets. */
  readonly address?: string;
}

/** Makes, finds, connects to and destroys hosts of one kind. Everything may be repeated but create. */
export interface HostProvider {
  /** `ssh`, `circleci`, `host`, `docker`. */
  readonly kind: string;
  /** How many hosts there are; `null` where as many are made as are asked for. */
  readonly capacity: number | null;
  /**
   * Whether destroying the host ends and removes everything on it. Where not (the user's own
   * machines), whoever used it cleans up first.
   */
  readonly disposable: boolean;
  /** For people: "ssh to build1 and build2". */
  describe(): string;
  /** The host of this name, of this provider, made by whomever. */
  find(name: string, signal: AbortSignal): Promise<HostRef | undefined>;
  /**
   * Makes a host. Not repeated by itself: the answer may be lost and the host be there all the same.
   * Look with {@link HostProvider.find} before another try.
   *
   * @throws SidecanaryError `host-failed`; the signal's reason when aborted
   */
  create(spec: HostSpec, signal: AbortSignal): Promise<HostRef>;
  /**
   * Connects, with one attempt: address, handshake, authentication.
   *
   * @throws SidecanaryError `host-failed`; the signal's reason when aborted
   */
  connect(ref: HostRef, signal: AbortSignal): Promise<Host>;
  /**
   * The hosts with names of ours (`parseHostName` understands them), of every owner.
   *
   * @param index only those of this place are wanted; a provider that cannot tell answers all
   * @throws SidecanaryError `host-failed`; an empty list is never an answer in place of an error
   */
  list(signal: AbortSignal, index?: number): Promise<readonly HostRef[]>;
  /**
   * Destroys a host; that it is gone already is success.
   *
   * @throws SidecanaryError `host-failed`
   */
  destroy(ref: HostRef, signal: AbortSignal): Promise<void>;
  /** Lets go of everything that belongs to this process. Destroys nothing. Idempotent. */
  close(): Promise<void>;
}
