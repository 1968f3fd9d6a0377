import * as v from "valibot";

/** What a reference of ours says beside id and name. */
export interface InstanceAddress {
  /** Whether this run made the sidecar: then the first host key that it shows is taken for its own. */
  readonly ours: boolean;
  /** Its host key as the API told it, a line of OpenSSH's. */
  readonly hostKey?: string;
}

const schema = v.pipe(
  v.string(),
  v.parseJson(),
  v.object({ ours: v.boolean(), hostKey: v.exactOptional(v.string()) }),
);

/** {@link InstanceAddress} as `HostRef.address`. */
export function formatAddress({ ours, hostKey }: InstanceAddress): string {
  return JSON.stringify(hostKey === undefined ? { ours } : { ours, hostKey });
}

/** What `HostRef.address` says; nothing that is trusted where it is missing or somebody else's. */
export function parseAddress(address: string | undefined): InstanceAddress {
  const result = v.safeParse(schema, address);
  return result.success ? result.output : { ours: false };
}
