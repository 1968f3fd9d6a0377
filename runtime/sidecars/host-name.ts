/** What the name of a host says, so that it can be found and removed when every journal is gone. */
export interface HostName {
  /** Whose it is: the id of a state folder, 8 characters. */
  readonly owner: string;
  /** What it was made for: a campaign, a session; up to 16 characters. */
  readonly run: string;
  /** The place among the hosts of the run, from 0. */
  readonly index: number;
  /** When anybody may destroy it, in ms since the epoch; whole seconds. */
  readonly expiresAt: number;
}

const NAME = /^sidecanary-([a-z0-9]{8})-([a-z0-9]{1,16})-([a-z0-9]{1,4})-([a-z0-9]{6,8})$/;

/**
 * `sidecanary-<owner>-<run>-<index>-<expiry>`, numbers in base 36, the expiry in seconds: a label
 * that DNS, Docker and the sidecar API take.
 *
 * @throws RangeError where a part does not fit
 */
export function formatHostName({ owner, run, index, expiresAt }: HostName): string {
  const expiry = Math.floor(expiresAt / 1000).toString(36);
  const name = `sidecanary-${owner}-${run}-${index.toString(36)}-${expiry}`;
  if (!NAME.test(name)) throw new RangeError(`"${name}" is no name for a host`);
  return name;
}

/** The parts of a name of ours; `undefined` for anybody else's. */
export function parseHostName(name: string): HostName | undefined {
  const [, owner, run, index, expiry] = NAME.exec(name) ?? [];
  if (owner === undefined || run === undefined || !index || !expiry) return undefined;
  return {
    owner,
    run,
    index: Number.parseInt(index, 36),
    expiresAt: Number.parseInt(expiry, 36) * 1000,
  };
}

/** Whether two names are those of the same place: they may differ in when they expire. */
export function isSameHost(a: HostName, b: HostName): boolean {
  return a.owner === b.owner && a.run === b.run && a.index === b.index;
}
