import { SidecanaryError } from "../errors.ts";

/** What keeps one client from taking everything. Numbers are whole and above 0. */
export interface ServeLimits {
  /** Living instances, of all owners. @default 16 */
  readonly instances: number;
  /** Living instances of one owner. @default 16 */
  readonly instancesPerOwner: number;
  /** After how long without an SSH connection an instance is destroyed, in ms. @default 1_800_000 */
  readonly idleMs: number;
  /** After how long an instance is destroyed whatever it does, in ms. @default 86_400_000 */
  readonly lifetimeMs: number;
  /** Instances that one owner may create within a minute. @default 60 */
  readonly createsPerMinute: number;
  /** HTTP requests that are worked on at once. @default 64 */
  readonly requestsInFlight: number;
  /** Sockets, of every kind. @default 256 */
  readonly sockets: number;
  /** SSH connections of one instance, also those that have not authenticated yet. @default 16 */
  readonly connectionsPerInstance: number;
  /** Sessions of one SSH connection; as many as `MaxSessions` of OpenSSH. @default 10 */
  readonly channelsPerConnection: number;
  /** The longest body of a request, in bytes. @default 65_536 */
  readonly bodyBytes: number;
  /** The longest WebSocket message, in bytes. @default 1_048_576 */
  readonly frameBytes: number;
  /** How long the head of a request may take, in ms. @default 10_000 */
  readonly headersMs: number;
  /** How long a whole request may take to arrive, in ms. @default 30_000 */
  readonly requestMs: number;
  /** How long an SSH client may take to authenticate, in ms. @default 20_000 */
  readonly loginMs: number;
  /** Processes and threads of one instance (`RLIMIT_NPROC`). @default 4_096 */
  readonly processes: number;
  /** The largest file that may be written, in bytes (`RLIMIT_FSIZE`). @default 17_179_869_184 */
  readonly fileBytes: number;
}

/** The limits that hold where nothing else is said. */
export const SERVE_LIMITS: ServeLimits = {
  instances: 16,
  instancesPerOwner: 16,
  idleMs: 30 * 60_000,
  lifetimeMs: 24 * 60 * 60_000,
  createsPerMinute: 60,
  requestsInFlight: 64,
  sockets: 256,
  connectionsPerInstance: 16,
  channelsPerConnection: 10,
  bodyBytes: 65_536,
  frameBytes: 1_048_576,
  headersMs: 10_000,
  requestMs: 30_000,
  loginMs: 20_000,
  processes: 4_096,
  fileBytes: 16 * 2 ** 30,
};

/**
 * The defaults with `given` over them.
 *
 * @throws SidecanaryError `usage` for a limit that is no whole number above 0
 */
export function serveLimits(given: Partial<ServeLimits> = {}): ServeLimits {
  for (const [name, value] of Object.entries(given)) {
    if (Number.isSafeInteger(value) && value > 0) continue;
    throw new SidecanaryError(
      "usage",
      `The limit "${name}" of a sidecar host is ${value}; it has to be a whole number above 0.`,
      { option: name },
    );
  }
  return { ...SERVE_LIMITS, ...given };
}
